/** What somebody changed, as a sentence: who, what was done, and to what. */

import type { AuditEntry } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { appName } from "../overview.ts";
import { plural } from "../show.ts";
import type { IconName } from "./icon.tsx";

type Detail = Readonly<Record<string, unknown>>;
type Words = (detail: Detail) => ComponentChildren;

const text = (value: unknown) => (typeof value === "string" || typeof value === "number" ? String(value) : "");
const number = (value: unknown) => (typeof value === "number" ? value : 0);
const strong = (value: unknown) => <strong>{text(value)}</strong>;
const app = (detail: Detail) => <strong>{appName(text(detail.app))}</strong>;
const whose = ({ user, connection }: Detail) =>
  user === undefined ? <>the connection {strong(connection)}</> : strong(user);

/** By the noun and the verb of the audit log. */
const WORDS: Readonly<Record<string, Words>> = {
  "app.create": (it) => <>made the app {app(it)}</>,
  "app.edit": (it) => {
    if (it.enabled === false) return <>disabled {app(it)}</>;
    if (it.enabled === true) return <>enabled {app(it)}</>;
    const changed = Array.isArray(it.changed) ? it.changed.map(text).join(", ") : "the settings";
    return (
      <>
        changed {changed} of {app(it)}
      </>
    );
  },
  "app.rotate": (it) => <>made a new secret for {app(it)}</>,
  "app.secret": (it) => <>looked at the secret of {app(it)}</>,
  "app.remove": (it) => <>removed the app {strong(it.app)}</>,
  "event.send": (it) => (
    <>
      sent {strong(it.event)} to {strong(it.channel)}
    </>
  ),
  "node.drain": (it) => <>drained {strong(it.name || it.node)}</>,
  "node.drain.end": (it) => <>let {strong(it.name || it.node)} take clients again</>,
  "cluster.rebalance": (it) => <>spread the clients over {plural(number(it.nodes), "node")}</>,
  "webhooks.replay": (it) => <>retried {plural(number(it.count), "failed delivery", "failed deliveries")}</>,
  "outbox.retry": (it) => <>retried {plural(number(it.count), "failed row")} of an outbox</>,
  "history.purge": (it) => <>purged the history of {strong(it.channel)}</>,
  "channel.kick": (it) =>
    it.user === undefined && it.connection === undefined ? (
      <>kicked everyone out of {strong(it.channel)}</>
    ) : (
      <>
        kicked {whose(it)} out of {strong(it.channel)}
      </>
    ),
  "channel.subscribe": (it) => (
    <>
      put {whose(it)} into {strong(it.channel)}
    </>
  ),
  "channel.unsubscribe": (it) => (
    <>
      took {whose(it)} out of {strong(it.channel)}
    </>
  ),
  "user.ban": (it) => (
    <>
      banned {whose(it)} from {strong(it.channel)}
    </>
  ),
  "user.unban": (it) => (
    <>
      let {whose(it)} into {strong(it.channel)} again
    </>
  ),
  "user.terminate": (it) => <>terminated all connections of {strong(it.user)}</>,
  "connection.disconnect": (it) => <>disconnected {whose(it)}</>,
  "connection.reconnect": (it) => <>made {whose(it)} connect again</>,
  "session.start": () => "signed in",
  "session.end": () => "signed out",
  "session.refuse": () => "could not sign in: wrong password",
};

const ICONS: Readonly<Record<string, IconName>> = {
  app: "gear",
  event: "send",
  node: "server",
  cluster: "server",
  webhooks: "hook",
  outbox: "hook",
  history: "hash",
  channel: "hash",
  user: "user",
  connection: "plug",
  session: "user",
};

export function changeIcon({ what }: AuditEntry): IconName {
  if (what === "app.rotate" || what === "app.secret") return "key";
  return ICONS[what.split(".", 1).join()] ?? "gear";
}

/** What it has no words for is told by its name. */
export function ChangeWords({ entry: { who, what, detail } }: { entry: AuditEntry }) {
  const words = WORDS[what];
  return (
    <span class="what">
      <strong>{who}</strong> {words ? words(detail) : what}
    </span>
  );
}
