/** What is around every page: where one can go, the app that is looked at, and whether what one sees is live. */

import type { Overview } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { live } from "./live.ts";
import { overview } from "./overview.ts";
import { useAnswer } from "./parts/answer.ts";
import { Logo } from "./parts/logo.tsx";
import { attempt } from "./parts/notes.tsx";
import { useNow } from "./parts/small.tsx";
import { chosenApp, go, place, to } from "./route.ts";
import { may, role, session, signOut } from "./session.ts";
import { count, plural } from "./show.ts";
import { choose, type Theme, theme } from "./theme.ts";

const EVERY_MS = 5_000;

interface Entry {
  readonly page: string;
  readonly name: string;
  /** Pages that belong to it. */
  readonly also?: readonly string[];
}

const WATCH: readonly Entry[] = [
  { page: "overview", name: "Overview" },
  { page: "console", name: "Console" },
  { page: "channels", name: "Channels", also: ["channel"] },
  { page: "connections", name: "Connections", also: ["connection"] },
  { page: "charts", name: "Charts" },
];
const ACT: readonly Entry[] = [
  { page: "send", name: "Send an event" },
  { page: "webhooks", name: "Webhooks" },
  { page: "apps", name: "Apps", also: ["app"] },
  { page: "nodes", name: "Nodes" },
  { page: "explain", name: "Signatures" },
  { page: "audit", name: "Audit log" },
];

export function Shell({ children }: { children: ComponentChildren }) {
  const { data, error } = useAnswer<Overview>("api/overview", EVERY_MS);
  const [isOpen, open] = useState(false);
  useEffect(() => {
    if (data) overview.value = data;
  }, [data]);
  useEffect(() => {
    live.start();
    return () => live.stop();
  }, []);
  useEffect(() => open(false), [place.value]);
  return (
    <div class={isOpen ? "shell menu-open" : "shell"}>
      <button type="button" class="skip" onClick={skip}>
        Skip to the content
      </button>
      <header class="top">
        <button
          type="button"
          class="quiet menu"
          aria-expanded={isOpen}
          aria-controls="menu"
          onClick={() => open(!isOpen)}
        >
          Menu
        </button>
        <a class="brand" href={to("overview")}>
          <Logo /> Fanfare
        </a>
        <AppChoice />
        <span class="grow" />
        <Totals />
        <LiveMark />
      </header>
      <nav id="menu" class="side" aria-label="Pages">
        <Entries entries={WATCH} />
        <Entries entries={ACT.filter(({ page }) => page !== "audit" || may("operate"))} />
        <span class="grow" />
        <Person />
      </nav>
      <main id="content" tabIndex={-1}>
        {error && overview.value && (
          <p class="banner" role="status">
            {error.message}
          </p>
        )}
        {live.problem.value !== undefined && (
          <p class="banner" role="status">
            The live connection says: {live.problem.value}
          </p>
        )}
        {children}
      </main>
    </div>
  );
}

/** Not by an address: the hash of this page says where one is. */
function skip(): void {
  const content = document.getElementById("content");
  content?.focus();
  content?.scrollIntoView();
}

function Entries({ entries }: { entries: readonly Entry[] }) {
  const { page } = place.value;
  return (
    <ul>
      {entries.map((entry) => (
        <li key={entry.page}>
          <a
            href={to(entry.page)}
            aria-current={entry.page === page || entry.also?.includes(page) ? "page" : undefined}
          >
            {entry.name}
          </a>
        </li>
      ))}
    </ul>
  );
}

/** Pages of one thing of an app make no sense for another. */
const LISTS: Readonly<Record<string, string>> = { channel: "channels", connection: "connections" };

function AppChoice() {
  const apps = overview.value?.apps ?? [];
  const chosen = chosenApp.value ?? "";
  const isKnown = chosen === "" || apps.some(({ id }) => id === chosen);
  const move = (app: string) => {
    const { page, params } = place.value;
    const list = LISTS[page];
    go(list === undefined ? to(page, { ...params, app }) : to(list, { app }));
  };
  return (
    <select class="app-choice" aria-label="App" value={chosen} onChange={(event) => move(event.currentTarget.value)}>
      <option value="">All apps</option>
      {!isKnown && <option value={chosen}>{chosen}</option>}
      {apps.map(({ id, name, enabled }) => (
        <option key={id} value={id}>
          {name || id}
          {enabled ? "" : " (off)"}
        </option>
      ))}
    </select>
  );
}

function Totals() {
  const it = overview.value;
  if (!it) return null;
  return (
    <span class="totals">
      <a href={to("connections")}>{plural(it.connections, "connection")}</a>
      {it.nodes.length > 1 && <a href={to("nodes")}>{plural(it.nodes.length, "node")}</a>}
    </span>
  );
}

function LiveMark() {
  const state = live.state.value;
  const nowMs = useNow(1_000);
  if (state.is !== "waiting") {
    const text = { off: "Off", connecting: "Connecting…", live: "Live" }[state.is];
    return (
      <span class="live" data-state={state.is} role="status">
        <span class="dot" aria-hidden="true" />
        {text}
      </span>
    );
  }
  const restS = Math.max(0, Math.ceil((state.untilMs - nowMs) / 1000));
  return (
    <span class="live" data-state="waiting" title={state.why}>
      <span class="dot" aria-hidden="true" />
      <span role="status">Offline</span>
      <span class="soft" aria-hidden="true">
        {restS} s
      </span>
      <button type="button" class="quiet" onClick={() => live.retry()}>
        Try now
      </button>
    </span>
  );
}

const THEMES: readonly (readonly [Theme, string])[] = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

function Person() {
  const { user, ways = [], server } = session.value ?? {};
  return (
    <div class="person">
      <label class="theme">
        <span>Colours</span>
        <select
          value={theme.value}
          onChange={({ currentTarget }) => choose(THEMES.find(([it]) => it === currentTarget.value)?.[0] ?? "system")}
        >
          {THEMES.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <p class="who">
        <strong>{user?.name}</strong> <span class="soft">{role.value}</span>
      </p>
      {ways.length > 0 && (
        <button type="button" onClick={() => void attempt(signOut)}>
          Sign out
        </button>
      )}
      {server && (
        <p class="soft version">
          {server.version} · {server.mode}
        </p>
      )}
    </div>
  );
}

/** A page that is about one app, when none is chosen. */
export function ChooseApp({ what }: { what: string }) {
  const apps = overview.value?.apps;
  if (!apps) return null;
  if (apps.length === 0) {
    return (
      <div class="empty">
        <p class="empty-title">There is no app yet</p>
        <p>
          <a href={to("apps")}>Make one</a>, or write it in the configuration.
        </p>
      </div>
    );
  }
  return (
    <section class="card choose">
      <h1 tabIndex={-1}>{what} of which app?</h1>
      <ul class="tags">
        {apps.map(({ id, name }) => (
          <li key={id}>
            <a href={to(place.value.page, { ...place.value.params, app: id })}>{name || id}</a>
          </li>
        ))}
      </ul>
      <p class="soft">{count(apps.length)} are there. The choice stays until you change it at the top.</p>
    </section>
  );
}
