/** Frames of a connection as they pass: each a row, whole when it is opened. */

import type { TappedFrame } from "fanfare/wire/admin";
import { useState } from "preact/hooks";
import { Icon } from "../parts/icon.tsx";
import { Empty } from "../parts/notes.tsx";
import { PayloadView } from "../parts/payload.tsx";
import { Time } from "../parts/small.tsx";
import { count, parsed, plural, size } from "../show.ts";

export type Frame = TappedFrame & { readonly key: number };

const DIRECTIONS = { both: "Both", in: "From client", out: "To client" } as const;

export function Frames({ frames, leftOut }: { frames: readonly Frame[]; leftOut: number }) {
  const [shown, show] = useState<keyof typeof DIRECTIONS>("both");
  const [paused, pause] = useState<readonly Frame[]>();
  const all = (paused ?? frames).filter(({ direction }) => shown === "both" || direction === shown);
  const newest = paused?.[0]?.key ?? 0;
  const since = paused ? frames.filter(({ key }) => key > newest).length : 0;
  return (
    <section class="table frames" aria-labelledby="frames">
      <h2 id="frames" class="table-head">
        Frames <small>live, newest first</small>
        <span class="grow" />
        <fieldset class="segment" aria-label="Direction">
          {Object.entries(DIRECTIONS).map(([name, words]) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === shown}
              onClick={() => show(name as keyof typeof DIRECTIONS)}
            >
              {words}
            </button>
          ))}
        </fieldset>
        <button
          type="button"
          class="quiet"
          aria-pressed={paused !== undefined}
          onClick={() => pause(paused ? undefined : frames)}
        >
          <Icon name={paused ? "play" : "pause"} isSmall />
          {paused ? `Resume${since > 0 ? `, ${count(since)} new` : ""}` : "Pause"}
        </button>
      </h2>
      <p class="frame-line frame-names" aria-hidden="true">
        <span>Time</span>
        <span>Direction</span>
        <span>Event</span>
        <span>Channel</span>
        <span>Data</span>
        <span>Size</span>
      </p>
      {all.length === 0 && <Empty title="No frame has passed yet">They show up here as they pass.</Empty>}
      <ol>
        {all.map((frame) => (
          <FrameLine key={frame.key} frame={frame} />
        ))}
      </ol>
      {leftOut > 0 && <p class="more">{plural(leftOut, "frame")} left out, because there were too many to show.</p>}
    </section>
  );
}

function FrameLine({ frame: { atMs, direction, payload } }: { frame: Frame }) {
  const { event, channel, data } = partsOf(payload.text);
  const isRefusal = direction === "out" && (event === "error" || event === "pusher:error");
  return (
    <li class={isRefusal ? "is-refused" : undefined}>
      <details>
        <summary class="frame-line">
          <Time atMs={atMs} />
          <span class={direction === "in" ? "direction in" : "direction out"}>
            <Icon name={direction === "in" ? "up" : "dn"} isSmall />
            <span>{direction === "in" ? "from client" : "to client"}</span>
          </span>
          <span class="what mono">{event}</span>
          <span class="what">{channel}</span>
          <span class="what mono soft">{data}</span>
          <small>{size(payload.bytes)}</small>
        </summary>
        <PayloadView payload={payload} label="Frame" />
      </details>
    </li>
  );
}

const LONGEST = 300;

interface Parts {
  readonly event: string;
  readonly channel: string;
  readonly data: string;
}

/** Both protocols name them alike; of a frame that is none of theirs, all of it is data. */
function partsOf(text: string): Parts {
  const value = parsed(text)?.value;
  if (typeof value !== "object" || value === null || !("event" in value))
    return { event: "", channel: "", data: cut(text) };
  const { event, channel, data, ...more } = value as Readonly<Record<string, unknown>>;
  const inner = typeof data === "object" && data !== null && "channel" in data ? data : undefined;
  const { channel: inside, ...rest } = inner ?? {};
  const shown = inner ? rest : (data ?? (Object.keys(more).length > 0 ? more : ""));
  return {
    event: String(event).slice(0, 60),
    channel: String(channel ?? inside ?? "").slice(0, 200),
    data: cut(typeof shown === "string" ? shown : JSON.stringify(shown)),
  };
}

function cut(text: string): string {
  return text.slice(0, LONGEST);
}
