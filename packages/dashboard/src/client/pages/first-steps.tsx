/** What to do with a server that nobody has connected to yet. */

import { overview } from "../overview.ts";
import { Copy, Head } from "../parts/small.tsx";
import { to } from "../route.ts";
import { openSend } from "../send-dialog.tsx";

export function Connect() {
  return (
    <>
      <Head title="Connect an app" />
      <FirstSteps />
    </>
  );
}

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
  const { hostname, port, protocol } = location;
  const isTls = protocol === "https:";
  const client = [
    `const pusher = new Pusher("${app.key}", {`,
    `  cluster: "", forceTLS: ${isTls}, enabledTransports: ["ws", "wss"],`,
    `  wsHost: "${hostname}", ${isTls ? "wssPort" : "wsPort"}: ${port || (isTls ? 443 : 80)},`,
    `});`,
    `pusher.subscribe("news").bind("hello", (data) => console.log(data));`,
  ].join("\n");
  return (
    <section class="card stack" aria-label="First steps">
      <h2>{overview.value?.connections === 0 ? "Nobody is connected yet" : "Connect a client"}</h2>
      <ol class="steps">
        <li class="step">
          <p>
            Connect a client: any Pusher library, Laravel Echo, or <code>@fanfare/client</code>.
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
