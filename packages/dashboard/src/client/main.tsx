/** Starts the dashboard's page: the way in, or the shell with the page that the address names. */

import "@preact/signals";
import { type ComponentType, render } from "preact";
import { useEffect } from "preact/hooks";
import { theApp } from "./overview.ts";
import { AppPage } from "./pages/app.tsx";
import { ChannelPage } from "./pages/channel.tsx";
import { Channels } from "./pages/channels.tsx";
import { Connect } from "./pages/connect.tsx";
import { ConnectionPage } from "./pages/connection.tsx";
import { Console } from "./pages/console.tsx";
import { Explain } from "./pages/explain.tsx";
import { Find } from "./pages/find.tsx";
import { Insights } from "./pages/insights.tsx";
import { OverviewPage } from "./pages/overview.tsx";
import { People } from "./pages/people.tsx";
import { Settings } from "./pages/settings.tsx";
import { SignIn } from "./pages/sign-in.tsx";
import { UserPage } from "./pages/user.tsx";
import { Webhooks } from "./pages/webhooks.tsx";
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
  insights: Insights,
  webhooks: Webhooks,
  connect: Connect,
  settings: Settings,
  explain: Explain,
};

/** About one thing of one app. */
const APP_PAGES: Readonly<Record<string, ComponentType<{ app: string }>>> = {
  channel: ChannelPage,
  user: UserPage,
  connection: ConnectionPage,
  app: AppPage,
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

function Dashboard() {
  if (!session.value) return sessionError.value ? <Unreachable /> : <Waiting />;
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

const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(<Dashboard />, root);
  void loadSession();
}
