/** Starts the dashboard's page: the way in, or the shell with the page that the address names. */

import "@preact/signals";
import { type ComponentType, render } from "preact";
import { useEffect } from "preact/hooks";
import { theApp } from "./overview.ts";
import { Channels } from "./pages/channels.tsx";
import { Console } from "./pages/console.tsx";
import { Find } from "./pages/find.tsx";
import { OverviewPage } from "./pages/overview.tsx";
import { People } from "./pages/people.tsx";
import { SignIn } from "./pages/sign-in.tsx";
import { lazy, loadTheRest } from "./parts/lazy.tsx";
import { Empty, Failure, Notices, Waiting } from "./parts/notes.tsx";
import { Head } from "./parts/small.tsx";
import { place, to } from "./route.ts";
import { isInside, loadSession, session, sessionError } from "./session.ts";
import { Shell } from "./shell.tsx";

const PAGES: Readonly<Record<string, ComponentType>> = {
  overview: OverviewPage,
  console: Console,
  channels: Channels,
  people: People,
  insights: lazy(() => import("./pages/insights.tsx").then(({ Insights }) => Insights)),
  webhooks: lazy(() => import("./pages/webhooks.tsx").then(({ Webhooks }) => Webhooks)),
  connect: lazy(() => import("./pages/connect.tsx").then(({ Connect }) => Connect)),
  settings: lazy(() => import("./pages/settings.tsx").then(({ Settings }) => Settings)),
  explain: lazy(() => import("./pages/explain.tsx").then(({ Explain }) => Explain)),
};

/** About one thing of one app. */
const APP_PAGES: Readonly<Record<string, ComponentType<{ app: string }>>> = {
  channel: lazy(() => import("./pages/channel.tsx").then(({ ChannelPage }) => ChannelPage)),
  user: lazy(() => import("./pages/user.tsx").then(({ UserPage }) => UserPage)),
  connection: lazy(() => import("./pages/connection.tsx").then(({ ConnectionPage }) => ConnectionPage)),
  app: lazy(() => import("./pages/app.tsx").then(({ AppPage }) => AppPage)),
};

function Page() {
  const { page, params } = place.value;
  const Plain = Object.hasOwn(PAGES, page) ? PAGES[page] : undefined;
  if (Plain) return <Plain />;
  const OfApp = Object.hasOwn(APP_PAGES, page) ? APP_PAGES[page] : undefined;
  if (!OfApp) {
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
  const key = `${page} ${app} ${params.name ?? params.id}`;
  return app === undefined ? <Find key={key} /> : <OfApp key={key} app={app} />;
}

/** The first page, and what it asks for, come first. */
const REST_MS = 5_000;

function Dashboard() {
  const isThere = isInside.value;
  useEffect(() => {
    if (!isThere) return;
    const timer = setTimeout(() => void loadTheRest(), REST_MS);
    return () => clearTimeout(timer);
  }, [isThere]);
  if (!session.value) return sessionError.value ? <Unreachable /> : <Waiting />;
  return (
    <>
      {isThere ? (
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

const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(<Dashboard />, root);
  void loadSession();
}
