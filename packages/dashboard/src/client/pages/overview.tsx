/** The first page: is something wrong, how much is going on, what was refused, and what changed. */

import type { FeedFilter, Point } from "fanfare/wire/admin";
import { Feed } from "../feed.ts";
import { learnNames } from "../names.ts";
import { has, overview } from "../overview.ts";
import { useSeconds } from "../parts/seconds.ts";
import { Head } from "../parts/small.tsx";
import { useWatch } from "../parts/watch.ts";
import { TROUBLES } from "../refusals.ts";
import { chosenApp } from "../route.ts";
import { may } from "../session.ts";
import { plural } from "../show.ts";
import { Alerts } from "./alerts.tsx";
import { Busiest } from "./busiest.tsx";
import { FirstSteps } from "./first-steps.tsx";
import { Changes, NodeTable, Receivers } from "./overview-cards.tsx";
import { HappeningNow, Refusals } from "./overview-events.tsx";
import { Messages, Numbers } from "./overview-numbers.tsx";

/** They outlive the page, so that what was seen is still there when one comes back to it. */
const [troubles, events] = [new Feed(), new Feed()];

export function OverviewPage() {
  const { points } = useSeconds(chosenApp.value);
  useFeed(troubles, { type: "feed", ...ofApp(), types: TROUBLES });
  useFeed(events, { type: "feed", ...ofApp() });
  const it = overview.value;
  if (!it) return <Head title="Overview" />;
  const isUnused = it.connections === 0 && points.every(isQuiet) && events.total === 0;
  const showsNumbers = has("seconds") && !isUnused;
  return (
    <>
      <Head title="Overview" lead={`${plural(it.nodes.length || 1, "node")} · last 5 minutes, updated every second`} />
      <Alerts />
      {isUnused && <FirstSteps />}
      {showsNumbers && <Numbers points={points} />}
      <div class="halves">
        <div class="stack">
          {showsNumbers && <Messages points={points} />}
          {showsNumbers && <Busiest />}
          <HappeningNow feed={events} points={points} filter={ofApp()} />
        </div>
        <div class="stack">
          <Refusals feed={troubles} points={points} filter={ofApp()} />
          {it.nodes.length > 0 && <NodeTable nodes={it.nodes} />}
          <Receivers />
          {may("operate") && <Changes />}
        </div>
      </div>
    </>
  );
}

/** The chosen app's, or all. */
function ofApp(): FeedFilter {
  const app = chosenApp.value;
  return app === undefined ? {} : { app };
}

function useFeed(feed: Feed, watch: Parameters<typeof useWatch>[0]): void {
  useWatch(watch, "feed", (batch) => {
    learnNames(batch.entries);
    feed.add(batch);
  });
}

function isQuiet({ messagesIn, messagesOut, apiMessages }: Point): boolean {
  return messagesIn + messagesOut + apiMessages === 0;
}
