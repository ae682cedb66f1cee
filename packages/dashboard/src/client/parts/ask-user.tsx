/** What is done with a user's connections, after asking: what happens, and to how many. */

import type { Acted } from "fanfare/wire/admin";
import { useState } from "preact/hooks";
import { call, path } from "../api.ts";
import { plural } from "../show.ts";
import { Ask } from "./dialog.tsx";
import { notify } from "./notes.tsx";

export type UserAct =
  | { readonly type: "terminate" | "reconnect" | "subscribe" }
  | { readonly type: "kick" | "unban"; readonly channel: string };

interface AskUserProps {
  readonly act: UserAct;
  readonly app: string;
  readonly id: string;
  readonly name?: string | undefined;
  /** How many there are of the user's. */
  readonly connections: number;
  readonly onClose: () => void;
  readonly done: () => void;
}

export function AskUser({ act, app, id, name = id, connections, onClose, done }: AskUserProps) {
  const its = plural(connections, "connection");
  const post = async (where: string, body: object, verb: string) => {
    const given = await call<Partial<Acted>>("POST", path(["apps", app, where]), body);
    const { connections: reached, nodesMissing = 0 } = given;
    const rest = nodesMissing > 0 ? `, ${plural(nodesMissing, "node")} did not answer yet` : "";
    notify(reached === undefined ? `${verb}.` : `${verb}: ${plural(reached, "connection")}${rest}.`);
    done();
  };
  switch (act.type) {
    case "terminate":
      return (
        <Ask
          title={`Terminate ${name}?`}
          verb={`Terminate ${its}`}
          isDangerous
          onClose={onClose}
          act={async () => {
            await call<Acted>("POST", path(["apps", app, "users", id, "terminate"]), {});
            notify(`Terminated: ${its}.`);
            done();
          }}
        >
          <p>
            {its} of this user, on every node, are closed, and clients do not reconnect by themselves. Tokens and
            signatures of until now are refused for 24 h.
          </p>
        </Ask>
      );
    case "reconnect":
      return (
        <Ask
          title={`Have ${name} reconnect?`}
          verb={`Reconnect ${its}`}
          onClose={onClose}
          act={() => post("reconnect", { user: id, spreadMs: 2_000 }, "Asked to reconnect")}
        >
          <p>
            Clients of {its} connect again within two seconds, and go on where they were. Their back end is asked anew
            what they may.
          </p>
        </Ask>
      );
    case "unban":
      return (
        <Ask
          title={`Let ${name} in again?`}
          verb={`End the ban from ${act.channel}`}
          onClose={onClose}
          act={() => post("unban", { user: id, channel: act.channel }, "The ban has ended")}
        >
          <p>The user may subscribe to {act.channel} again at once. Nothing subscribes by itself.</p>
        </Ask>
      );
    case "subscribe":
      return <AskSubscribe name={name} id={id} connections={its} onClose={onClose} post={post} />;
    case "kick":
      return <AskKick name={name} id={id} channel={act.channel} onClose={onClose} post={post} />;
  }
}

interface AskAboutChannelProps {
  readonly name: string;
  readonly id: string;
  readonly onClose: () => void;
  readonly post: (where: string, body: object, verb: string) => Promise<void>;
}

const A_DAY_S = 86_400;

function AskSubscribe({
  name,
  id,
  connections,
  onClose,
  post,
}: AskAboutChannelProps & { readonly connections: string }) {
  const [channel, write] = useState("");
  const [isSticky, choose] = useState(false);
  const sticky = isSticky ? { stickyS: A_DAY_S } : {};
  return (
    <Ask
      title={`Put ${name} into a channel?`}
      verb={`Subscribe ${connections}`}
      onClose={onClose}
      act={() => post("subscribe", { user: id, channel: channel.trim(), ...sticky }, "Subscribed")}
    >
      <p>Whatever the user may: limits and bans count, and clients are told.</p>
      <label class="field">
        <span>Channel</span>
        <input value={channel} required onInput={(event) => write(event.currentTarget.value)} />
      </label>
      <label class="check">
        <input type="checkbox" checked={isSticky} onChange={(event) => choose(event.currentTarget.checked)} />
        Connections of the next day, too
      </label>
    </Ask>
  );
}

/** Not a kick: what put the user there ends, too. */
const UNSUBSCRIBE = -1;
const BANS: readonly (readonly [words: string, seconds: number])[] = [
  ["May come back at once", 0],
  ["Is not put there any more (unsubscribe)", UNSUBSCRIBE],
  ["Ban for 10 minutes", 600],
  ["Ban for a day", 86_400],
  ["Ban for 30 days", 30 * 86_400],
];

function AskKick({ name, id, channel, onClose, post }: AskAboutChannelProps & { readonly channel: string }) {
  const [banS, choose] = useState(0);
  const whom = { user: id, channel };
  const [verb, where, body, done] =
    banS === UNSUBSCRIBE
      ? ([`Unsubscribe from ${channel}`, "unsubscribe", whom, "Unsubscribed"] as const)
      : banS > 0
        ? ([`Kick and ban from ${channel}`, "kick", { ...whom, banS }, "Banned"] as const)
        : ([`Kick from ${channel}`, "kick", whom, "Kicked"] as const);
  return (
    <Ask
      title={`Take ${name} out of ${channel}?`}
      verb={verb}
      isDangerous
      onClose={onClose}
      act={() => post(where, body, done)}
    >
      <p>
        Every connection of this user is taken out of the channel, on every node, and told so. Other channels and the
        connections themselves stay.
      </p>
      <label class="field">
        <span>Afterwards</span>
        <select value={banS} onChange={(event) => choose(Number(event.currentTarget.value))}>
          {BANS.map(([words, seconds]) => (
            <option key={seconds} value={seconds}>
              {words}
            </option>
          ))}
        </select>
      </label>
    </Ask>
  );
}
