/** One user: the connections on every node, what they did lately, and what can be done about it. */

import type { Ban, Identity, PersonConnection, PersonDetail } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { path } from "../api.ts";
import { appName, nodeName } from "../overview.ts";
import { Act } from "../parts/act.tsx";
import { useAnswer } from "../parts/answer.ts";
import { AskUser, type UserAct } from "../parts/ask-user.tsx";
import { Card } from "../parts/card.tsx";
import { Icon } from "../parts/icon.tsx";
import { clientWords, Lanes } from "../parts/lanes.tsx";
import { Failure, NodesMissing, Waiting } from "../parts/notes.tsx";
import { PayloadView } from "../parts/payload.tsx";
import { Avatar } from "../parts/person.tsx";
import { Facts, Head, Mark, Since } from "../parts/small.tsx";
import { Unlink } from "../parts/tag.tsx";
import { titleOf } from "../refusals.ts";
import { place, to } from "../route.ts";
import { openSend } from "../send-dialog.tsx";
import { may } from "../session.ts";
import { count, dateAndTime, lasting, moment, plural } from "../show.ts";
import { UserEvents } from "./user-events.tsx";

const EVERY_MS = 3_000;

export function UserPage({ app }: { app: string }) {
  const id = place.value.params.id ?? "";
  const { data, error, reload } = useAnswer<PersonDetail>(path(["apps", app, "users", id]), EVERY_MS);
  const [asked, ask] = useState<UserAct>();
  const name = data?.name ?? id;
  return (
    <>
      <Head title={name} crumb={<a href={to("people")}>People</a>} />
      <Failure error={error} retry={reload} />
      <NodesMissing count={data?.nodesMissing} />
      {!data && !error && <Waiting what="Asking every node" />}
      {data && (
        <>
          <UserHead person={data} ask={ask} />
          <Lanes open={data.connections} ended={data.ended} events={data.events} />
          <div class="halves">
            <div class="stack">
              <UserConnections connections={data.connections} total={data.connectionCount} />
              <UserEvents person={data} />
            </div>
            <div class="stack">
              <Refusals person={data} />
              <UserChannels person={data} ask={ask} />
              <Bans bans={data.bans} ask={ask} />
              {data.info && (
                <section class="card" aria-label="Info">
                  <PayloadView payload={data.info} label="Info" />
                </section>
              )}
              {data.identity && <SignedInBy identity={data.identity} />}
            </div>
          </div>
          {asked && (
            <AskUser
              {...{ app, id, name: data.name, act: asked, connections: data.connectionCount, done: reload }}
              onClose={() => ask(undefined)}
            />
          )}
        </>
      )}
    </>
  );
}

type Asking = { readonly ask: (act: UserAct) => void };

function UserHead({ person, ask }: { person: PersonDetail } & Asking) {
  const { app, id, name = id, connections, connectionCount, firstSeenMs } = person;
  const since = connections[0]?.openedAtMs;
  return (
    <div class="entity-head">
      <Avatar id={id} name={name} isLarge />
      <div class="entity-words">
        <p class="entity-name breakable">
          {name} <OnlineMark isOnline={connectionCount > 0} />
        </p>
        <p class="soft breakable">
          User <span class="mono">{id}</span> of <a href={to("app", { app })}>{appName(app)}</a> ·{" "}
          {plural(connectionCount, "connection")}
          {since !== undefined && (
            <>
              {" "}
              · online for <Since atMs={since} />
            </>
          )}
          {firstSeenMs !== undefined && ` · first seen ${moment(firstSeenMs)}`}
        </p>
      </div>
      <div class="tools">
        <Act needs="operate" look="quiet" act={() => ask({ type: "subscribe" })}>
          Subscribe…
        </Act>
        <Act needs="operate" look="quiet" isDisabled={connectionCount === 0} act={() => ask({ type: "reconnect" })}>
          Reconnect…
        </Act>
        <a class="button" href={to("console", { app, user: id })}>
          <Icon name="console" isSmall />
          Open in console
        </a>
        <Act needs="operate" act={() => openSend({ app, channel: `#server-to-user-${id}` })}>
          <Icon name="send" isSmall />
          Send to user
        </Act>
        <Act needs="operate" look="danger" act={() => ask({ type: "terminate" })}>
          Terminate…
        </Act>
      </div>
    </div>
  );
}

/** As large as its words: a dot says it from afar. */
function OnlineMark({ isOnline }: { isOnline: boolean }) {
  if (!isOnline) return <Mark>offline</Mark>;
  return (
    <Mark tone="good">
      <span class="dot good" aria-hidden="true" /> online
    </Mark>
  );
}

function UserConnections({ connections, total }: { connections: readonly PersonConnection[]; total: number }) {
  if (total === 0) return <Card title="No connection now">They show up here at once.</Card>;
  return (
    <div class="table">
      <table class="user-connections">
        <thead>
          <tr>
            <th scope="col">Connection</th>
            <th scope="col">Client</th>
            <th scope="col" class="wide">
              Node
            </th>
            <th scope="col" class="number wide">
              Channels
            </th>
            <th scope="col" class="number wide">
              RTT
            </th>
            <th scope="col" class="number">
              Age
            </th>
          </tr>
        </thead>
        <tbody>
          {connections.map((it) => (
            <tr key={it.id}>
              <th scope="row">
                <a class="mono" href={to("connection", { app: it.app, id: it.id })}>
                  {it.id}
                </a>
              </th>
              <td class="client-cell">{clientWords(it.library ?? it.transport ?? it.protocol, it.agent)}</td>
              <td class="wide">{nodeName(it.node)}</td>
              <td class="number wide">{count(it.channels)}</td>
              <td class="number wide">{it.rttMs === undefined ? "–" : `${count(it.rttMs)} ms`}</td>
              <td class="number">{lasting(it.ageMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {total > connections.length && (
        <p class="more">
          {count(connections.length)} of {count(total)} are listed.
        </p>
      )}
    </div>
  );
}

function Refusals({ person: { app, events, refused } }: { person: PersonDetail }) {
  const latest = events.find(({ type }) => type === "refused");
  if (!latest) return null;
  const { signed, why } = latest;
  return (
    <section class="card" aria-labelledby="refused">
      <h2 id="refused">
        Refused <Mark tone="bad">{count(refused)} lately</Mark>
      </h2>
      <p>
        <strong>{titleOf(latest)}</strong>
        {latest.channel !== undefined && ` in ${latest.channel}`}
      </p>
      <p class="breakable soft">{why}</p>
      {signed && may("operate") && <a href={to("explain", { app, ...signed })}>Explain this signature</a>}
    </section>
  );
}

function UserChannels({ person, ask }: { person: PersonDetail } & Asking) {
  const { app, channels, connectionCount } = person;
  return (
    <section class="card" aria-labelledby="user-channels">
      <h2 id="user-channels">
        Channels <small>{`${count(channels.length)}, over ${plural(connectionCount, "connection")}`}</small>
      </h2>
      {channels.length === 0 && <p class="soft">None.</p>}
      <ul class="tags">
        {channels.map((name) => (
          <li key={name} class="tag">
            <a href={to("channel", { app, name })}>{name}</a>
            <Unlink channel={name} act={() => ask({ type: "kick", channel: name })} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Bans({ bans, ask }: { bans: readonly Ban[] } & Asking) {
  if (bans.length === 0) return null;
  return (
    <section class="card" aria-labelledby="bans">
      <h2 id="bans">
        Banned from <small>{plural(bans.length, "channel")}</small>
      </h2>
      <ul class="lines">
        {bans.map(({ channel, untilMs, by, atMs }) => (
          <li key={channel}>
            <span class="breakable">
              {channel}{" "}
              <small title={`Banned ${dateAndTime(atMs)}`}>
                until {dateAndTime(untilMs)}
                {by !== undefined && `, by ${by}`}
              </small>
            </span>
            <span class="grow" />
            <Act needs="operate" look="quiet" act={() => ask({ type: "unban", channel })}>
              End…
            </Act>
          </li>
        ))}
      </ul>
    </section>
  );
}

const WAYS: Readonly<Record<Identity["by"], string>> = {
  token: "Token (JWT)",
  signature: "Signature of the back end",
  backend: "The back end's answer, or the program",
  presence: "Not signed in: a member of presence channels",
};

function SignedInBy({ identity }: { identity: Identity }) {
  const { by, secret, sinceMs, expiresAtMs, channels, watches } = identity;
  const rows: (readonly [string, ComponentChildren])[] = [["Way", WAYS[by]]];
  if (secret) rows.push(["Secret", `${secret.number} of ${secret.of}`]);
  if (sinceMs !== undefined) rows.push([by === "token" ? "Issued" : "Since", dateAndTime(sinceMs)]);
  if (expiresAtMs !== undefined) rows.push(["Expires", dateAndTime(expiresAtMs)]);
  if (channels) rows.push(["May join", <span class="mono">{channels.join(" ")}</span>]);
  if (watches > 0) rows.push(["Watches", plural(watches, "user")]);
  return (
    <section class="card" aria-labelledby="signed-in-by">
      <h2 id="signed-in-by">Signed in by</h2>
      <Facts rows={rows} isList />
    </section>
  );
}
