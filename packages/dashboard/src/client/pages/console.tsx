/** The live console: everything that happens, as it happens. */

import { signal } from "@preact/signals";
import type { FeedFilter } from "fanfare/wire/admin";
import { useEffect, useMemo, useState } from "preact/hooks";
import { type ConsoleEntry, Feed, fitter, isKind, isTrouble, KEPT, KINDS } from "../feed.ts";
import { live } from "../live.ts";
import { learnNames } from "../names.ts";
import { appName, overview } from "../overview.ts";
import { clientWordsOf } from "../parts/client-words.ts";
import { Icon } from "../parts/icon.tsx";
import { codeFor, Inspector, onlyLike, sendableOf } from "../parts/inspector.tsx";
import { useKeys } from "../parts/keys.ts";
import { Empty, notify, Waiting } from "../parts/notes.tsx";
import { QueryBar } from "../parts/query-bar.tsx";
import { Rows } from "../parts/rows.tsx";
import { useSeconds } from "../parts/seconds.ts";
import { Head, Time, TypeMark, toClipboard, useNow } from "../parts/small.tsx";
import { Volume } from "../parts/volume.tsx";
import { useSettled, useWatch } from "../parts/watch.ts";
import { Who } from "../parts/who.tsx";
import { filterOf, paramsOf, watchOf } from "../query.ts";
import { troubleIn } from "../refusals.ts";
import { change, chosenApp, place, to } from "../route.ts";
import { openSend } from "../send-dialog.tsx";
import { obstacle } from "../session.ts";
import { clock, count, plural, short } from "../show.ts";

/** Outlives the page, so that what was seen is still there when one comes back to it. */
const feed = new Feed();
const isPaused = signal(false);
/** Of the page: what was before it is history. */
const OPENED_AT_MS = Date.now();

/** More new rows a second would make the list flicker. */
const MOST_FRESH = 5;
const FRESH_MS = 1_500;

export function Console() {
  const filter = useFilter();
  const fits = useMemo(() => fitter(filter), [filter]);
  useWatch(watchOf(useSettled(filter)), "feed", (batch) => {
    learnNames(batch.entries);
    feed.add(batch);
  });
  useEffect(() => feed.recount(fits), [fits]);
  const { row } = place.value.params;
  const [isAway, setAway] = useState(false);
  feed.hold(isPaused.value || isAway || row !== undefined);
  useEffect(() => () => feed.hold(false), []);
  const version = feed.version.value;
  const items = useMemo(() => feed.matching(fits), [version, fits, isPaused.value, isAway, row]);
  const chosen = items.find(({ id }) => id === row);
  const step = (by: 1 | -1) => {
    const at = items.findIndex(({ id }) => id === row) + by;
    choose(items[Math.max(0, Math.min(items.length - 1, at))]);
  };
  const newest = () => {
    isPaused.value = false;
    choose(undefined);
    document.querySelector(".rows")?.scrollTo(0, 0);
    setAway(false);
  };
  useKeys({
    ...{ p: togglePause, Escape: () => choose(undefined), Home: newest, j: () => step(1), k: () => step(-1) },
    Enter: () => document.querySelector<HTMLElement>(".inspector button")?.focus(),
    f: () => chosen && onlyLike(chosen),
    c: () => void copyCode(chosen),
    e: () => obstacle("operate") === undefined && openSend(chosen && { app: chosen.app, ...sendableOf(chosen) }),
  });
  const came = feed.since(fits);
  return (
    <div class="console">
      <Head title="Console" />
      <Bar filter={filter} items={items} />
      <Kinds />
      <Strip isFiltered={Object.keys(filter).some((name) => name !== "app")} />
      <div class={row === undefined ? "console-body" : "console-body with-inspector"}>
        <div class="console-list">
          {came > 0 && !isPaused.value && (
            <button type="button" class="primary newer" onClick={newest}>
              ↑ {count(came)} new
            </button>
          )}
          <List items={items} chosen={row} setAway={setAway} isFiltered={Object.keys(filter).length > 0} />
        </div>
        {chosen && (
          <Inspector entry={chosen} alike={alike(items, chosen)} step={step} close={() => choose(undefined)} />
        )}
        {row !== undefined && !chosen && <NotHere />}
      </div>
      <Foot came={came} />
    </div>
  );
}

/** The chosen row is in the address, so that it can be sent to somebody. */
function choose(entry: ConsoleEntry | undefined): void {
  change({ row: entry?.id });
}

function togglePause(): void {
  isPaused.value = !isPaused.value;
}

function alike(items: readonly ConsoleEntry[], { code }: ConsoleEntry): readonly ConsoleEntry[] {
  return items.filter((entry) => isTrouble(entry) && entry.code === code);
}

async function copyCode(entry: ConsoleEntry | undefined): Promise<void> {
  const code = entry && codeFor(entry);
  if (code && (await toClipboard(code("Node")))) notify("Copied as code for Node.");
}

/** As the address has it, so that a filtered console can be sent to somebody. */
function useFilter(): FeedFilter {
  const { row: _, ...params } = place.value.params;
  // Names of nodes become their ids as soon as those are known.
  const nodes = overview.value?.nodes.length;
  return useMemo(() => filterOf(params), [JSON.stringify(params), nodes]);
}

// ---- above the list

function Bar({ filter, items }: { filter: FeedFilter; items: readonly ConsoleEntry[] }) {
  const all = () => feed.matching(() => true);
  const isFiltered = Object.keys(filter).length > 0;
  return (
    <div class="console-bar">
      <QueryBar entries={all} matches={isFiltered ? `${plural(items.length, "match", "matches")}` : undefined} />
      <button
        type="button"
        aria-pressed={isPaused.value}
        aria-label={isPaused.value ? "Resume" : "Pause"}
        title="p"
        onClick={togglePause}
      >
        <Icon name={isPaused.value ? "play" : "pause"} isSmall />
        <span class="wide">{isPaused.value ? "Resume" : "Pause"}</span>
      </button>
      <button type="button" class="quiet wide" onClick={() => feed.clear()}>
        Clear
      </button>
    </div>
  );
}

function Kinds() {
  void feed.version.value;
  const { show } = place.value.params;
  const app = chosenApp.value;
  const entries = feed.matching((entry) => app === undefined || entry.app === app);
  const kinds = Object.entries(KINDS).map(([kind, [name, types]]) => {
    const of: readonly string[] = types;
    return { kind, name, there: entries.filter(({ type }) => of.includes(type)).length };
  });
  const all = { kind: "", name: "All", there: entries.length };
  return (
    <fieldset class="segment kinds" aria-label="Kinds of events">
      {[all, ...kinds].map(({ kind, name, there }) => (
        <button
          key={kind}
          type="button"
          aria-pressed={kind === (isKind(show) ? show : "")}
          onClick={() => change({ show: kind })}
        >
          {name} <small class={kind === "errors" && there > 0 ? "bad-text" : ""}>{count(there)}</small>
        </button>
      ))}
    </fieldset>
  );
}

/** Of before the console was opened only what the server counts by the second is known, of all kinds together. */
function Strip({ isFiltered }: { isFiltered: boolean }) {
  const nowMs = useNow(1_000);
  const { points } = useSeconds(chosenApp.value);
  const steps = feed.volume(nowMs, isFiltered ? [] : points, OPENED_AT_MS);
  return <Volume steps={steps} nowMs={nowMs} openedAtMs={OPENED_AT_MS} />;
}

// ---- the list

interface ListProps {
  readonly items: readonly ConsoleEntry[];
  readonly chosen: string | undefined;
  readonly setAway: (isAway: boolean) => void;
  readonly isFiltered: boolean;
}

function List({ items, chosen, setAway, isFiltered }: ListProps) {
  const isNarrow = useIsNarrow();
  const isFast = feed.rate().shown > MOST_FRESH;
  const history = items.findIndex(({ atMs }) => atMs < OPENED_AT_MS);
  const look = (entry: ConsoleEntry) =>
    [
      isTrouble(entry) && "trouble",
      entry.id === chosen && "chosen",
      entry.atMs < OPENED_AT_MS && "earlier",
      !isFast && !entry.isEarlier && Date.now() - entry.atMs < FRESH_MS && "fresh",
    ]
      .filter(Boolean)
      .join(" ");
  return (
    <Rows
      label="Events, newest first"
      head={COLUMNS.map((name) => (
        <span key={name} class={`cell ${name.toLowerCase().split(" ")[0]}`}>
          {name}
        </span>
      ))}
      items={items}
      rowHeight={isNarrow ? 50 : 28}
      chosen={chosen}
      choose={choose}
      scrolled={setAway}
      look={look}
      row={(entry) => <Line entry={entry} />}
      divider={
        history < 0
          ? undefined
          : { before: history, says: `History: before you opened this page at ${clock(OPENED_AT_MS).slice(0, 8)}` }
      }
    >
      {live.state.value.is === "connecting" ? <Waiting rows={16} /> : <Nothing isFiltered={isFiltered} />}
    </Rows>
  );
}

const COLUMNS = ["Time", "Type", "App", "Channel", "Event", "Who", "Payload or reason"] as const;

function Line({ entry }: { entry: ConsoleEntry }) {
  const { app, channel, atMs } = entry;
  const { event, what, isPayload } = said(entry);
  return (
    <>
      <span class="cell time">
        <Time atMs={atMs} />
      </span>
      <TypeMark type={entry.type} />
      <span class="cell app">{app && appName(app)}</span>
      <span class="cell channel" title={channel}>
        {channel}
      </span>
      <span class="cell event" title={event}>
        {event}
      </span>
      <span class="cell who">
        <Who {...entry} />
      </span>
      <span class={isPayload ? "cell payload-text" : "cell payload-text reason"}>{what.slice(0, 200)}</span>
    </>
  );
}

/** What was done, and what with: of a refusal what was asked and why not, of who comes what it is. */
function said(entry: ConsoleEntry): { readonly event: string; readonly what: string; readonly isPayload: boolean } {
  const { type, event = "", payload, why = "" } = entry;
  if (isTrouble(entry)) {
    const { asked, reason } = troubleIn(entry);
    return { event: event || asked, what: reason, isPayload: false };
  }
  if (type === "connected") return { event, what: clientWordsOf(entry), isPayload: false };
  return { event, what: payload?.text ?? why, isPayload: payload !== undefined };
}

function Nothing({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered) {
    return (
      <Empty title="No matching events yet">
        <p>New events that match show up here as they happen.</p>
        <button type="button" onClick={() => change({ ...paramsOf([]), show: "" })}>
          Clear filters
        </button>
      </Empty>
    );
  }
  return (
    <Empty title="No events yet">
      <p>Connections, messages and refusals show up here as they happen, each with what it carried and why.</p>
      <div class="acts">
        <a class="button primary" href={to("connect")}>
          Connect an app
        </a>
        <button type="button" onClick={() => openSend()}>
          Send a test event
        </button>
      </div>
    </Empty>
  );
}

function NotHere() {
  return (
    <aside class="inspector" aria-label="Inspector">
      <Empty title="This event is not here">
        <p>It is no longer kept, or does not match the filter.</p>
        <button type="button" onClick={() => choose(undefined)}>
          Close
        </button>
      </Empty>
    </aside>
  );
}

// ---- below the list

const KEY_WORDS = [
  ["j k", "move"],
  ["↵", "open"],
  ["f", "only like this"],
  ["c", "copy as code"],
  ["p", "pause"],
] as const;

function Foot({ came }: { came: number }) {
  void feed.version.value;
  const { shown, leftOut } = feed.rate();
  return (
    <div class="console-foot">
      <span class={leftOut > 0 ? "sampling" : ""}>
        {isPaused.value && `Paused · ${count(came)} new since · `}
        {leftOut > 0
          ? `Showing ${count(shown)} of ${short(shown + leftOut)} events/s, a sample. Narrow the filter to see all.`
          : `${count(shown)} events/s · everything is shown`}
        {` · ${count(feed.total)} seen since ${clock(OPENED_AT_MS).slice(0, 8)}, the last ${count(KEPT)} are kept`}
      </span>
      <span class="grow" />
      <span class="wide">
        {KEY_WORDS.map(([keys, what]) => (
          <span key={keys}>
            {keys.split(" ").map((key) => (
              <kbd key={key}>{key}</kbd>
            ))}{" "}
            {what}{" "}
          </span>
        ))}
      </span>
    </div>
  );
}

function useIsNarrow(): boolean {
  const [isNarrow, set] = useState(() => matchMedia("(max-width: 600px)").matches);
  useEffect(() => {
    const query = matchMedia("(max-width: 600px)");
    const look = () => set(query.matches);
    query.addEventListener("change", look);
    return () => query.removeEventListener("change", look);
  }, []);
  return isNarrow;
}
