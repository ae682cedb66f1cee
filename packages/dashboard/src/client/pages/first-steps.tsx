/** What to do with a server that nobody has connected to yet. */

import { pusherClient } from "../../snippets.ts";
import { overview } from "../overview.ts";
import { Copy } from "../parts/small.tsx";
import { to } from "../route.ts";
import { openSend } from "../send-dialog.tsx";
import { placeOfApp } from "../session.ts";

export function FirstSteps() {
  const app = overview.value?.apps.find(({ enabled }) => enabled);
  if (!app) {
    return (
      <section class="card stack" aria-label="First steps">
        <h2>Make an app first</h2>
        <p>
          Clients and back ends connect to an app by its key. <a href={to("settings", { tab: "apps" })}>Make one</a>, or
          write it in the configuration.
        </p>
      </section>
    );
  }
  const client = pusherClient(placeOfApp(app), { channel: "news", event: "hello" });
  return (
    <section class="card stack" aria-label="First steps">
      <h2>{overview.value?.connections === 0 ? "Nobody is connected yet" : "Connect a client"}</h2>
      <ol class="steps">
        <li class="step">
          <p>
            Connect a client:{" "}
            <a href={to("connect", { app: app.id })}>any Pusher library, Laravel Echo, or Fanfare's own</a>.
          </p>
          <div class="snippet">
            <pre>{client}</pre>
            <Copy text={client} what="code" />
          </div>
        </li>
        <li class="step">
          <p>
            <button type="button" onClick={() => openSend({ app: app.id, channel: "news", event: "hello" })}>
              Send an event
            </button>{" "}
            to the channel <code>news</code>, from here or from your back end.
          </p>
        </li>
        <li class="step">
          <p>
            See it arrive in the <a href={to("console")}>console</a>, which says of each refusal why it was one.
          </p>
        </li>
      </ol>
    </section>
  );
}
