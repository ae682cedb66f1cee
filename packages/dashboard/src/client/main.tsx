/** Starts the dashboard's page: the way in, or the shell with the page that the address names. */

import "@preact/signals";
import { type ComponentType, render } from "preact";
import { useEffect } from "preact/hooks";
import { theApp } from "./overview.ts";
import { AppPage } from "./pages/app.tsx";
import { Apps } from "./pages/apps.tsx";
import { Audit } from "./pages/audit.tsx";
import { ChannelPage, Channels } from "./pages/channels.tsx";
import { Charts } from "./pages/charts.tsx";
import { ConnectionPage, Connections } from "./pages/connections.tsx";
import { Console, togglePause } from "./pages/console.tsx";
import { Explain } from "./pages/explain.tsx";
import { Nodes } from "./pages/nodes.tsx";
import { OverviewPage } from "./pages/overview.tsx";
import { Send } from "./pages/send.tsx";
import { SignIn } from "./pages/sign-in.tsx";
import { Webhooks } from "./pages/webhooks.tsx";
import { Empty, Failure, Notices } from "./parts/notes.tsx";
import { Head } from "./parts/small.tsx";
import { place, to } from "./route.ts";
import { isInside, loadSession, session, sessionError } from "./session.ts";
import { ChooseApp, Shell } from "./shell.tsx";

const PAGES: Readonly<Record<string, ComponentType>> = {
  overview: OverviewPage,
  console: Console,
  charts: Charts,
  apps: Apps,
  nodes: Nodes,
  webhooks: Webhooks,
  audit: Audit,
};

/** About one app, and what they are about in words. */
const APP_PAGES: Readonly<Record<string, readonly [string, ComponentType<{ app: string }>]>> = {
  channels: ["Channels", Channels],
  channel: ["A channel", ChannelPage],
  connections: ["Connections", Connections],
  connection: ["A connection", ConnectionPage],
  send: ["An event to a channel", Send],
  app: ["Settings", AppPage],
  explain: ["Signatures", Explain],
};

function Page() {
  const { page, params } = place.value;
  const Plain = Object.hasOwn(PAGES, page) ? PAGES[page] : undefined;
  if (Plain) return <Plain />;
  const [what, OfApp] = (Object.hasOwn(APP_PAGES, page) && APP_PAGES[page]) || [];
  if (!OfApp || what === undefined) {
    return (
      <>
        <Head title="No such page" />
        <Empty title="There is no page of this name">
          <a href={to("console")}>To the console</a>
        </Empty>
      </>
    );
  }
  const app = theApp.value;
  // Another channel, connection or app is another page: nothing of the one before stays.
  return app === undefined ? (
    <ChooseApp what={what} />
  ) : (
    <OfApp key={`${page} ${app} ${params.name ?? params.id}`} app={app} />
  );
}

function Dashboard() {
  useEffect(() => {
    addEventListener("keydown", shortcuts);
    return () => removeEventListener("keydown", shortcuts);
  }, []);
  if (!session.value) return sessionError.value ? <Unreachable /> : <p class="waiting">Loading…</p>;
  return (
    <>
      {isInside.value ? (
        <Shell>
          <Page />
        </Shell>
      ) : (
        <SignIn />
      )}
      <Notices />
    </>
  );
}

function Unreachable() {
  useEffect(() => {
    const timer = setInterval(() => void loadSession(), 3_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <main class="sign-in">
      <Failure error={sessionError.value} retry={() => void loadSession()} />
    </main>
  );
}

/** `/` leads to the search of the page, `p` pauses the console; not while somebody writes. */
function shortcuts(event: KeyboardEvent): void {
  const { target, key } = event;
  const isWriting = target instanceof HTMLElement && target.matches("input, textarea, select");
  if (isWriting || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (key === "/") {
    event.preventDefault();
    document.querySelector<HTMLElement>("[data-search]")?.focus();
  }
  if (key === "p" && place.value.page === "console") togglePause();
}

const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(<Dashboard />, root);
  void loadSession();
}
