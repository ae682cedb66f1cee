/** Whether it works: the lights of Connect, which turn on as it happens. */

import type { AppSummary, ConnectionEntry, FeedEntry } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { address as addressOf, isPrivate, type Target } from "../../snippets.ts";
import { path } from "../api.ts";
import { COUNTED_WITHIN_MS, type Progress, reached, STEPS } from "../connecting.ts";
import { live } from "../live.ts";
import { useAnswer } from "../parts/answer.ts";
import { Time, useNow } from "../parts/small.tsx";
import { openSend } from "../send-dialog.tsx";
import { may, placeOfApp } from "../session.ts";

/** Nothing has come for so long: something may be in the way that the server cannot see. */
const QUIET_MS = 20_000;

interface LightsProps {
  readonly app: AppSummary;
  /** Of the code beside. */
  readonly target: Target;
  readonly progress: Progress;
  readonly again: () => void;
}

export function Lights({ app, target, progress, again }: LightsProps) {
  const { connected, subscribed, published, received } = progress;
  const [openedAtMs] = useState(Date.now);
  const isLive = live.state.value.is === "live";
  const on = reached(progress) + Number(isLive);
  const all = STEPS.length + 1;
  const address = addressOf(placeOfApp(app), "ws");
  return (
    <section class={on === all ? "card stack all-set" : "card stack"} aria-labelledby="working">
      <div class="step-head">
        <h2 id="working">Is it working?</h2>
        <span class="soft" role="status">
          {on === all ? "All set" : `${on} of ${all}`}
        </span>
        <button type="button" class="quiet" onClick={again}>
          Start over
        </button>
      </div>
      <ol class="lights">
        <Light isOn={isLive} title="The server can be reached">
          {isLive ? `${address} answers: this page is connected to it.` : `This page cannot connect to ${address}.`}
        </Light>
        <Light isOn={connected !== undefined} atMs={connected?.atMs} title="First connection">
          {connected ? <Client entry={connected} /> : <Waits what="Run a snippet of step 2." />}
        </Light>
        <Light isOn={subscribed !== undefined} atMs={subscribed?.atMs} title="First subscription">
          {subscribed?.channel ?? <WillSubscribe target={target} />}
        </Light>
        <Light isOn={published !== undefined} atMs={published?.atMs} title="A back end has published">
          {published ? (
            `${published.event || "an event"} to ${published.channel}`
          ) : (
            <PublishNow app={app} target={target} />
          )}
        </Light>
        <Light isOn={received !== undefined} atMs={received?.atMs} title="A client has received it">
          {received
            ? "It was sent to the subscribers."
            : published && <NotReceived {...{ published, subscribed, openedAtMs }} />}
        </Light>
      </ol>
    </section>
  );
}

interface LightProps {
  readonly isOn: boolean;
  readonly title: string;
  readonly atMs?: number | undefined;
  readonly children?: ComponentChildren;
}

function Light({ isOn, title, atMs, children }: LightProps) {
  return (
    <li data-on={isOn}>
      <span class="lamp" role="img" aria-label={isOn ? "done" : "waiting"}>
        {isOn && "✓"}
      </span>
      <div>
        <b>{title}</b>
        <p class="soft">{children}</p>
      </div>
      {atMs !== undefined && <Time atMs={atMs} />}
    </li>
  );
}

/** Its library and browser, as long as it is there. */
function Client({ entry: { app = "", connection = "", address, user } }: { entry: FeedEntry }) {
  const { data } = useAnswer<ConnectionEntry>(path(["apps", app, "connections", connection]));
  return <>{[data?.library ?? data?.protocol, user, address].filter(Boolean).join(" · ")}</>;
}

/** What the server cannot see, because it never comes there. */
function Waits({ what }: { what: string }) {
  const [sinceMs] = useState(Date.now);
  const isQuiet = useNow(1_000) - sinceMs > QUIET_MS;
  if (!isQuiet) return <>{what}</>;
  return (
    <>
      Nothing has come here yet. Is the port right, and https only where the server has TLS? In a container, localhost
      is the container. A proxy has to pass WebSockets on: <code>fanfare doctor --url</code> says whether it does.
    </>
  );
}

/** Whom the back end refuses never asks the server. */
function WillSubscribe({ target }: { target: Target }) {
  if (!isPrivate(target)) return <>The snippets subscribe to {target.channel}.</>;
  return (
    <>
      The snippets subscribe to {target.channel}, once the back end of step 3 has permitted it. A client that your back
      end refuses, or cannot reach, says so itself.
    </>
  );
}

function PublishNow({ app, target }: { app: AppSummary; target: Target }) {
  return (
    <>
      Run a snippet of the step Publish, or{" "}
      <button
        type="button"
        class="link"
        disabled={!may("operate")}
        onClick={() => openSend({ app: app.id, ...target })}
      >
        send a test event
      </button>
    </>
  );
}

interface NotReceivedProps {
  readonly published: FeedEntry;
  readonly subscribed: FeedEntry | undefined;
  readonly openedAtMs: number;
}

/** The nodes say each second what was delivered, and nothing of the time before this page was open. */
function NotReceived({ published, subscribed, openedAtMs }: NotReceivedProps) {
  const nowMs = useNow(1_000);
  if (published.atMs < openedAtMs)
    return <>It was published before this page was open. Publish once more to see it arrive.</>;
  if (nowMs - published.atMs < COUNTED_WITHIN_MS) return <>Waiting for the nodes' count of deliveries…</>;
  const isElsewhere = subscribed && subscribed.channel !== published.channel;
  return (
    <>
      Nobody was subscribed to {published.channel}.{isElsewhere && ` Your client is in ${subscribed.channel}.`}
    </>
  );
}
