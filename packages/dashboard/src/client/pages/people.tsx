/** Who is connected: users with what they do, connections, and those that are nobody's. */

import type { PeopleList, PersonEntry } from "fanfare/wire/admin";
import { path } from "../api.ts";
import { appName, overview } from "../overview.ts";
import { useAnswer } from "../parts/answer.ts";
import { Empty, Failure, NodesMissing, Waiting } from "../parts/notes.tsx";
import { PersonLink } from "../parts/person.tsx";
import { Head, Mark, Search, Since } from "../parts/small.tsx";
import { useSettled } from "../parts/watch.ts";
import { change, chosenApp, place, to } from "../route.ts";
import { count, plural, TYPE_NAMES } from "../show.ts";
import { Connections } from "./connections.tsx";

const EVERY_MS = 5_000;
const VIEWS = { users: "Users", connections: "Connections", anonymous: "Anonymous" } as const;
type View = keyof typeof VIEWS;

export function People() {
  const { search = "", after, show = "" } = place.value.params;
  const view: View = isView(show) ? show : "users";
  const settled = useSettled(search);
  const query = { app: chosenApp.value, search: settled, after };
  const { data, error, reload } = useAnswer<PeopleList>(path(["people"], query), EVERY_MS);
  const counts = data && { users: data.total, connections: data.connections, anonymous: data.anonymous };
  return (
    <>
      <Head title="People">
        <Search
          isFirst
          label="Name, user id, connection id or address"
          value={search}
          onInput={(value) => change({ search: value, after: undefined })}
        />
        <fieldset class="segment" aria-label="What is listed">
          {Object.entries(VIEWS).map(([name, words]) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === view}
              onClick={() => change({ show: name === "users" ? undefined : name, after: undefined })}
            >
              {words} {counts && isView(name) && <small>{count(counts[name])}</small>}
            </button>
          ))}
        </fieldset>
      </Head>
      <Failure error={error} retry={reload} />
      <NodesMissing count={data?.nodesMissing} />
      {view === "users" ? (
        <Users list={data} isFiltered={settled !== ""} isWaiting={!error} />
      ) : (
        <Connections isAnonymous={view === "anonymous"} search={settled} />
      )}
    </>
  );
}

function isView(name: string): name is View {
  return Object.hasOwn(VIEWS, name);
}

interface UsersProps {
  readonly list: PeopleList | undefined;
  readonly isFiltered: boolean;
  readonly isWaiting: boolean;
}

function Users({ list, isFiltered, isWaiting }: UsersProps) {
  const { after } = place.value.params;
  if (!list) return isWaiting ? <Waiting what="Asking every node" /> : null;
  if (list.people.length === 0) return <NoUsers list={list} isFiltered={isFiltered} />;
  return (
    <>
      <UserTable people={list.people} />
      {(list.next !== undefined || after) && (
        <nav class="pages" aria-label="Pages of the list">
          {after && <a href={to("people", { ...place.value.params, after: undefined })}>First page</a>}
          {list.next !== undefined && <a href={to("people", { ...place.value.params, after: list.next })}>Next page</a>}
        </nav>
      )}
      <p class="more">
        {plural(list.total, "user")} and {plural(list.anonymous, "anonymous connection")}, of all nodes. A user is
        signed in, or a member of a presence channel. Names come from <code>user_info.name</code>, or the token's{" "}
        <code>info.name</code>.
      </p>
    </>
  );
}

function NoUsers({ list, isFiltered }: { list: PeopleList; isFiltered: boolean }) {
  if (isFiltered) {
    return (
      <Empty title="No user fits">
        <button type="button" onClick={() => change({ search: undefined, after: undefined })}>
          Show all users
        </button>
      </Empty>
    );
  }
  if (list.connections === 0) {
    return (
      <Empty title="Nobody is connected">
        <a class="button" href={to("connect")}>
          Connect an app
        </a>
      </Empty>
    );
  }
  return (
    <Empty title="Nobody is signed in">
      {plural(list.anonymous, "anonymous connection")}: a client is a user once it has a token, signs in, or is in a
      presence channel.
    </Empty>
  );
}

function UserTable({ people }: { people: readonly PersonEntry[] }) {
  const hasApps = chosenApp.value === undefined && (overview.value?.apps.length ?? 0) > 1;
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th scope="col">User</th>
            <th scope="col" class="wide">
              Id
            </th>
            {hasApps && <th scope="col">App</th>}
            <th scope="col" class="wide">
              Last event
            </th>
            <th scope="col" class="number">
              Connections
            </th>
            <th scope="col" class="number wide">
              Channels
            </th>
            <th scope="col" class="number">
              Refused
            </th>
            <th scope="col" class="number wide">
              Online for
            </th>
          </tr>
        </thead>
        <tbody>
          {people.map((it) => (
            <tr key={`${it.app}/${it.id}`}>
              <th scope="row">
                <PersonLink app={it.app} id={it.id} {...(it.name !== undefined && { name: it.name })} />
              </th>
              <td class="wide mono soft">{it.name === undefined ? "" : it.id}</td>
              {hasApps && <td>{appName(it.app)}</td>}
              <td class="wide">
                <LastEvent last={it.last} />
              </td>
              <td class="number">{count(it.connections)}</td>
              <td class="number wide">{count(it.channels)}</td>
              <td class="number">{it.refused > 0 ? <Mark tone="bad">{count(it.refused)}</Mark> : "0"}</td>
              <td class="number wide">
                <Since atMs={it.onlineSinceMs} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function LastEvent({ last }: { last: PersonEntry["last"] }) {
  if (!last) return <span class="soft">none lately</span>;
  return (
    <span class="last-event">
      {last.event ?? TYPE_NAMES[last.type]} {last.channel} <small>{<Since atMs={last.atMs} />} ago</small>
    </span>
  );
}
