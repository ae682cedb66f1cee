/** One entry of the console, as closely as it can be looked at. */

import type { FeedEntry } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { to } from "../route.ts";
import { openSend } from "../send-dialog.tsx";
import { may } from "../session.ts";
import { PayloadView } from "./payload.tsx";
import { Copy, Facts, Time, TypeMark } from "./small.tsx";

export function Inspector({ entry, onClose }: { entry: FeedEntry; onClose: () => void }) {
  const { app, channel, event, connection, user, address, why, payload, signed } = entry;
  const rows: (readonly [string, ComponentChildren])[] = [];
  rows.push(["Time", <Time key="time" atMs={entry.atMs} isLong />]);
  if (why !== undefined) rows.push(["Why", why]);
  if (channel !== undefined)
    rows.push([
      "Channel",
      <a key="channel" href={to("channel", { app, name: channel })}>
        {channel}
      </a>,
    ]);
  if (event !== undefined) rows.push(["Event", <code key="event">{event}</code>]);
  if (connection !== undefined) {
    rows.push([
      "Connection",
      <a key="connection" href={to("connection", { app, id: connection })}>
        {connection}
      </a>,
    ]);
  }
  if (user !== undefined) rows.push(["User", user]);
  if (address !== undefined) rows.push(["Address", address]);
  if (app !== undefined)
    rows.push([
      "App",
      <a key="app" href={to("app", { app })}>
        {app}
      </a>,
    ]);
  const again = () => openSend({ app, channel: channel ?? "", event: event ?? "", data: payload?.text ?? "" });
  const canSend = may("operate") && (entry.type === "client_event" || entry.type === "api_message");
  return (
    <aside class="inspector" aria-label="Inspector">
      <div class="inspector-head">
        <TypeMark type={entry.type} />
        <span class="grow" />
        {signed && app !== undefined && may("operate") && (
          <a href={to("explain", { app, ...signed })}>Explain this signature</a>
        )}
        {canSend && (
          <button type="button" class="quiet" onClick={again}>
            Send again
          </button>
        )}
        <Copy text={JSON.stringify(entry, null, 2)} what="entry" />
        <button type="button" class="quiet" aria-label="Close inspector" onClick={onClose}>
          ×
        </button>
      </div>
      <Facts rows={rows} />
      {payload && <PayloadView payload={payload} />}
    </aside>
  );
}
