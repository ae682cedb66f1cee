/** Who is in a channel: the members of a presence channel, or the connections of any other, each of which can be taken out of it. */

import type { Acted, ChannelDetail } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { call, path } from "../api.ts";
import { learnNames } from "../names.ts";
import { nodeName } from "../overview.ts";
import { Act } from "../parts/act.tsx";
import { Ask } from "../parts/dialog.tsx";
import { notify } from "../parts/notes.tsx";
import { Person } from "../parts/person.tsx";
import { Since } from "../parts/small.tsx";
import { to } from "../route.ts";
import { count, parsed, plural } from "../show.ts";

const MOST_PEOPLE = 100;

interface ChannelProps {
  readonly channel: ChannelDetail;
  readonly reload: () => void;
}

interface Someone {
  /** What the kick says whose it is. */
  readonly whose: { readonly user: string } | { readonly connection: string };
  readonly name: string;
}

export function Members({ channel, reload }: ChannelProps) {
  const { app, members, users = members.length } = channel;
  learnNames(members.map(({ id, info }) => ({ app, user: id, name: nameIn(info.text) })));
  const people = members.map(({ id, info, state, joinedAtMs }) => ({
    ...{ key: id, name: nameIn(info.text) ?? id, whose: { user: id }, href: to("user", { app, id }) },
    detail: (
      <>
        {id} {state && <code>{state.text.slice(0, 60)}</code>}
      </>
    ),
    since: <Since atMs={joinedAtMs} />,
  }));
  return <People title="Members" total={users} people={people} channel={channel} reload={reload} />;
}

export function Subscribers({ channel, reload }: ChannelProps) {
  const { app, connections, subscribers } = channel;
  const nowMs = Date.now();
  const people = connections.map(({ id, user, node, protocol, transport, ageMs }) => ({
    ...{ key: id, name: user ?? id, whose: { connection: id }, href: to("connection", { app, id }) },
    detail: [user === undefined ? "anonymous" : undefined, transport ?? protocol, nodeName(node)]
      .filter(Boolean)
      .join(" · "),
    since: <Since atMs={nowMs - ageMs} />,
  }));
  return <People title="Subscribers" total={subscribers} people={people} channel={channel} reload={reload} />;
}

interface ListedPerson extends Someone {
  readonly key: string;
  readonly href: string;
  readonly detail: ComponentChildren;
  readonly since: ComponentChildren;
}

interface PeopleListProps extends ChannelProps {
  readonly title: string;
  readonly total: number;
  readonly people: readonly ListedPerson[];
}

function People({ title, total, people, channel, reload }: PeopleListProps) {
  const [asked, ask] = useState<Someone>();
  const shown = people.slice(0, MOST_PEOPLE);
  return (
    <section class="card" aria-label={title}>
      <h2>
        {title} <small>{count(total)}</small>
      </h2>
      <ul class="lines people">
        {shown.map((one) => (
          <li key={one.key}>
            <a href={one.href}>
              <Person id={one.key} name={one.name} />
            </a>
            <span class="grow soft detail">{one.detail}</span>
            <span class="soft when">{one.since}</span>
            <Act needs="operate" look="quiet" act={() => ask(one)}>
              Kick…
            </Act>
          </li>
        ))}
      </ul>
      {total > shown.length && (
        <p class="more">
          {count(shown.length)} of {count(total)} are listed.
        </p>
      )}
      {asked && <KickOne someone={asked} channel={channel} onClose={() => ask(undefined)} reload={reload} />}
    </section>
  );
}

interface KickOneProps extends ChannelProps {
  readonly someone: Someone;
  readonly onClose: () => void;
}

function KickOne({ someone: { name, whose }, channel, onClose, reload }: KickOneProps) {
  const kick = async () => {
    tellOfKick(await call<Acted>("POST", path(["apps", channel.app, "kick"]), { channel: channel.name, ...whose }));
    reload();
  };
  return (
    <Ask title={`Kick ${name} out of ${channel.name}`} verb={`Kick ${name}`} isDangerous act={kick} onClose={onClose}>
      <p>
        {"user" in whose ? `Every connection of ${name} is` : "This one connection is"} taken out of the channel, on
        whatever node it is. The client stays connected, and may subscribe again.
      </p>
    </Ask>
  );
}

/** What most apps call it. */
function nameIn(info: string): string | undefined {
  const value = parsed(info)?.value;
  if (typeof value !== "object" || value === null || !("name" in value)) return undefined;
  return typeof value.name === "string" && value.name !== "" ? value.name.slice(0, 80) : undefined;
}

export function tellOfKick({ connections, nodesMissing }: Acted): void {
  const missing = nodesMissing > 0 ? ` ${plural(nodesMissing, "node")} did not answer, and will do it later.` : "";
  notify(`Kicked ${plural(connections, "connection")}.${missing}`);
}
