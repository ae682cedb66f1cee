/** What a user did and was sent lately, newest first. */

import type { FeedEntry, PersonDetail } from "fanfare/wire/admin";
import { Card } from "../parts/card.tsx";
import { Time, TypeMark } from "../parts/small.tsx";
import { titleOf } from "../refusals.ts";
import { to } from "../route.ts";

const SHOWN_EVENTS = 50;

export function UserEvents({ person: { app, id, events } }: { person: PersonDetail }) {
  const link = <a href={to("console", { app, user: id })}>All in console</a>;
  if (events.length === 0) {
    return (
      <Card title="Events" link={link}>
        <p class="soft">No node remembers any.</p>
      </Card>
    );
  }
  return (
    <section class="table" aria-label="Events">
      <h2 class="table-head">
        Events <small>newest first</small>
        <span class="grow" />
        <small>{link}</small>
      </h2>
      <table class="user-events">
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Type</th>
            <th scope="col">Channel</th>
            <th scope="col" class="wide">
              Payload or reason
            </th>
          </tr>
        </thead>
        <tbody>
          {events.slice(0, SHOWN_EVENTS).map((entry) => (
            <EventRow key={entry.id} entry={entry} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function EventRow({ entry }: { entry: FeedEntry }) {
  const { app, type, atMs, channel, payload } = entry;
  return (
    <tr class={type === "refused" ? "is-refused" : undefined}>
      <td class="soft mono">
        <Time atMs={atMs} />
      </td>
      <td>
        <TypeMark type={type} />
      </td>
      <td class="what">
        {channel !== undefined && (
          <a class="plain-link" href={to("channel", { app, name: channel })}>
            {channel}
          </a>
        )}
      </td>
      <td class={payload ? "wide what mono" : "wide what soft"} title={wordsOf(entry)}>
        {wordsOf(entry)}
      </td>
    </tr>
  );
}

/** Of a refusal in plain words; the whole of it is in the console. */
function wordsOf(entry: FeedEntry): string {
  const { type, event, payload, why, address } = entry;
  if (type === "refused") return titleOf(entry);
  return [event, payload?.text ?? why ?? (address && `from ${address}`)].filter(Boolean).join(" ");
}
