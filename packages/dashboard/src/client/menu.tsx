/** Where one can go: the pages at the side, or on a phone at the foot, with how much there is of each; the app that is looked at. */

import type { Webhooks } from "fanfare/wire/admin";
import { useEffect } from "preact/hooks";
import { path } from "./api.ts";
import { appName, backlog, has, nodeState, overview } from "./overview.ts";
import { useAnswer } from "./parts/answer.ts";
import { useChannelList } from "./parts/channel-list.ts";
import { Icon, type IconName } from "./parts/icon.tsx";
import { attempt } from "./parts/notes.tsx";
import { useSeconds } from "./parts/seconds.ts";
import { chosenApp, go, place, to } from "./route.ts";
import { role, session, signOut } from "./session.ts";
import { count, plural, short } from "./show.ts";
import { choose, THEMES, theme } from "./theme.ts";

interface Entry {
  readonly page: string;
  readonly name: string;
  readonly icon: IconName;
  /** Pages that belong to it. */
  readonly also?: readonly string[];
}

export const PAGES: readonly Entry[] = [
  { page: "overview", name: "Overview", icon: "overview" },
  { page: "console", name: "Console", icon: "console" },
  { page: "channels", name: "Channels", icon: "hash", also: ["channel"] },
  { page: "people", name: "People", icon: "people", also: ["user", "connection"] },
  { page: "insights", name: "Insights", icon: "chart" },
  { page: "webhooks", name: "Webhooks", icon: "hook" },
];
export const MORE_PAGES: readonly Entry[] = [
  { page: "connect", name: "Connect an app", icon: "plug" },
  { page: "settings", name: "Settings", icon: "gear", also: ["app"] },
];
/** What fits at the foot of a phone; the palette has the rest. */
const TABS = PAGES.slice(0, 4);

const EVERY_MS = 10_000;

export function Menu() {
  const { server } = session.value ?? {};
  const counts = useCounts();
  return (
    <aside class="side" aria-label="Navigation">
      <a class="brand" href={to("overview")}>
        <Icon name="logo" />
        <span class="label">Fanfare</span>
        {server && <span class="mark label">{server.mode}</span>}
      </a>
      <AppSwitch />
      <nav aria-label="Pages">
        <Entries entries={PAGES} counts={counts} />
        <Entries entries={MORE_PAGES} counts={counts} />
      </nav>
      <span class="grow" />
      <NodeHealth />
      <Person />
    </aside>
  );
}

function Entries({ entries, counts }: { entries: readonly Entry[]; counts: Counts }) {
  return (
    <ul>
      {entries.map(({ page, name, icon, also }) => (
        <li key={page}>
          <a href={to(page)} title={name} aria-current={isHere(page, also)}>
            <Icon name={icon} />
            <span class="label">{name}</span>
            <span aria-hidden="true">{counts[page]}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function isHere(page: string, also: readonly string[] = []): "page" | undefined {
  return [page, ...also].includes(place.value.page) ? "page" : undefined;
}

export function TabBar({ more }: { more: () => void }) {
  const failed = backlog.value?.failed ?? 0;
  return (
    <nav class="tab-bar" aria-label="Main pages">
      {TABS.map(({ page, name, icon, also }) => (
        <a key={page} href={to(page)} aria-current={isHere(page, also)}>
          <Icon name={icon} />
          {name}
        </a>
      ))}
      <button type="button" onClick={more}>
        <Icon name="more" />
        More
        {failed > 0 && <Failed count={failed} />}
      </button>
    </nav>
  );
}

type Counts = Readonly<Record<string, ReturnType<typeof Failed> | undefined>>;

function useCounts(): Counts {
  const it = overview.value;
  const { points } = useSeconds(chosenApp.value);
  const { data: channels } = useChannelList({ limit: 1 }, undefined, undefined, chosenApp.value, EVERY_MS);
  const { data: webhooks } = useAnswer<Webhooks>(
    has("webhooks") && it ? path(["webhooks"], { limit: 1 }) : undefined,
    EVERY_MS,
  );
  useEffect(() => {
    backlog.value = webhooks;
  }, [webhooks]);
  // The last second is still being counted.
  const lately = points.slice(-6, -1);
  const messages = lately.reduce((sum, { messagesIn, apiMessages }) => sum + messagesIn + apiMessages, 0);
  const people = chosenApp.value === undefined ? it?.connections : points.at(-1)?.connections;
  return {
    console: lately.length > 0 ? <small>{short(Math.round(messages / lately.length))}/s</small> : undefined,
    channels: channels && <small>{count(channels.matching)}</small>,
    people: people === undefined ? undefined : <small title="Connections">{count(people)}</small>,
    webhooks: webhooks?.failed ? <Failed count={webhooks.failed} /> : undefined,
  };
}

function Failed({ count: failed }: { count: number }) {
  return (
    <small class="failed" title={plural(failed, "failed delivery", "failed deliveries")}>
      {count(failed)}
    </small>
  );
}

/** Pages of one thing of an app make no sense for another. */
const LISTS: Readonly<Record<string, string>> = { channel: "channels", connection: "people", user: "people" };

export function chooseApp(app: string): void {
  const { page, params } = place.value;
  const list = LISTS[page];
  go(list === undefined ? to(page, { ...params, app }) : to(list, { app }));
}

/** Changes what every page is about. */
function AppSwitch() {
  const apps = overview.value?.apps ?? [];
  const chosen = chosenApp.value ?? "";
  const isKnown = chosen === "" || apps.some(({ id }) => id === chosen);
  const name = chosen === "" ? "All apps" : appName(chosen);
  return (
    <label class="app-switch" title={name}>
      <span class="initial" aria-hidden="true">
        {name.charAt(0).toUpperCase()}
      </span>
      <span class="label what" aria-hidden="true">
        {name}
      </span>
      <Icon name="updown" isSmall />
      <select aria-label="App" value={chosen} onChange={(event) => chooseApp(event.currentTarget.value)}>
        <option value="">All apps</option>
        {!isKnown && <option value={chosen}>{chosen}</option>}
        {apps.map(({ id, name, enabled }) => (
          <option key={id} value={id}>
            {name || id}
            {enabled ? "" : " (off)"}
          </option>
        ))}
      </select>
    </label>
  );
}

function NodeHealth() {
  const it = overview.value;
  if (!it) return null;
  const states = it.nodes.map(nodeState);
  const worst = states.find(([tone]) => tone === "bad") ?? states.find(([tone]) => tone === "warn");
  const [tone, state] = !it.engine.reachable
    ? ["bad", "engine unreachable"]
    : worst
      ? [worst[0], `${count(states.filter(([, word]) => word === worst[1]).length)} ${worst[1]}`]
      : ["good", "healthy"];
  const says = `${plural(it.nodes.length || 1, "node")} · ${state}`;
  return (
    <a class="foot" href={to("settings", { tab: "nodes" })} title={says}>
      <span class={`dot ${tone}`} aria-hidden="true" />
      <span class="label">
        {says}
        <small>Fanfare {session.value?.server.version}</small>
      </span>
    </a>
  );
}

function Person() {
  const { user, ways = [] } = session.value ?? {};
  const at = THEMES.findIndex(([it]) => it === theme.value);
  const next = THEMES[(at + 1) % THEMES.length];
  const name = user?.name ?? "";
  return (
    <div class="person">
      <button type="button" class="foot" title="Change the theme" onClick={() => next && choose(next[0])}>
        <span class="avatar" aria-hidden="true">
          {name.charAt(0).toUpperCase()}
        </span>
        <span class="label">
          <span class="who">
            {name} <small>{role.value}</small>
          </span>
          <small>Theme: {THEMES[at]?.[1]}</small>
        </span>
      </button>
      {ways.length > 0 && (
        <button
          type="button"
          class="quiet"
          aria-label="Sign out"
          title="Sign out"
          onClick={() => void attempt(signOut)}
        >
          <Icon name="exit" isSmall />
        </button>
      )}
    </div>
  );
}
