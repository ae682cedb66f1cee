/** Search or jump to: the pages, channels, users, a connection by its id, and what can be done; and the list of the keys. */

import type { ChannelList, PeopleList } from "fanfare/wire/admin";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { path } from "./api.ts";
import { chooseApp, MORE_PAGES, PAGES } from "./menu.tsx";
import { appName, overview } from "./overview.ts";
import { useAnswer } from "./parts/answer.ts";
import { Dialog } from "./parts/dialog.tsx";
import { Icon, type IconName } from "./parts/icon.tsx";
import { attempt } from "./parts/notes.tsx";
import { useSettled } from "./parts/watch.ts";
import { chosenApp, go, to } from "./route.ts";
import { openSend } from "./send-dialog.tsx";
import { may, session, signOut } from "./session.ts";
import { plural } from "./show.ts";
import { choose, THEMES } from "./theme.ts";

interface Item {
  readonly section: string;
  readonly icon: IconName;
  readonly name: string;
  /** Other words that people look for it by. */
  readonly words?: string;
  readonly keys?: string;
  readonly hint?: string;
  readonly act: () => void;
}

const WORDS: Readonly<Record<string, string>> = {
  console: "debug console live events error logs",
  people: "users connections members",
  insights: "charts statistics graphs",
  webhooks: "failed deliveries dead letters",
  connect: "keys credentials quick start",
};
const KEYS: Readonly<Record<string, string>> = {
  overview: "g o",
  console: "g c",
  channels: "g h",
  people: "g p",
  insights: "g i",
};
const SETTINGS: readonly (readonly [tab: string, name: string, words: string])[] = [
  ["apps", "Apps & keys", "secret rotate"],
  ["nodes", "Nodes", "cluster drain"],
  ["limits", "Limits", "quotas rates"],
  ["audit", "Audit log", "changes history"],
  ["appearance", "Appearance", "theme dark light"],
];

const CONNECTION_ID = /^\d+\.\d+$/;
/** Of the channels and of the users. */
const FOUND = 6;
const MOST_APPS = 20;

interface PaletteProps {
  readonly close: () => void;
  readonly showKeys: () => void;
}

export function Palette({ close, showKeys }: PaletteProps) {
  const [text, write] = useState("");
  const [at, move] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const wanted = text.trim();
  const search = useSettled(wanted, 150);
  const channels = useChannels(search);
  const people = usePeople(search);
  const items = [
    ...connectionsOf(wanted),
    ...[...pages(), ...actions(showKeys), ...apps()].filter((item) => fits(item, wanted)),
    ...channels,
    ...people,
  ];
  const inOrder = SECTIONS.flatMap((section) => items.filter((item) => item.section === section));
  const chosen = Math.min(at, inOrder.length - 1);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  const run = (item: Item | undefined) => {
    if (!item) return;
    close();
    item.act();
  };
  const press = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by === undefined && event.key !== "Enter") return;
    event.preventDefault();
    if (by === undefined) run(inOrder[chosen]);
    else move((chosen + by + inOrder.length) % Math.max(1, inOrder.length));
  };
  return (
    <Dialog title="Search or jump to" look="palette" onClose={close}>
      <input
        type="text"
        role="combobox"
        aria-expanded="true"
        aria-controls={id}
        aria-activedescendant={inOrder.length > 0 ? `${id}-${chosen}` : undefined}
        aria-label="Search"
        placeholder="Channel, user, connection id, or what you want to do"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => {
          write(event.currentTarget.value);
          move(0);
        }}
        onKeyDown={press}
      />
      <div id={id} ref={list} class="results" role="listbox" aria-label="Results">
        {inOrder.map((item, index) => (
          <Line
            key={`${item.section} ${item.name} ${item.hint}`}
            id={`${id}-${index}`}
            item={item}
            isFirst={inOrder[index - 1]?.section !== item.section}
            isChosen={index === chosen}
            run={() => run(item)}
          />
        ))}
        {inOrder.length === 0 && (
          <p class="section" role="presentation">
            Nothing found for “{wanted}”. A connection id, a user id or a channel name can be pasted here.
          </p>
        )}
      </div>
      <footer>
        <span>
          <kbd>↑</kbd> <kbd>↓</kbd> choose
        </span>
        <span>
          <kbd>↵</kbd> open
        </span>
        <span>
          <kbd>Esc</kbd> close
        </span>
      </footer>
    </Dialog>
  );
}

interface LineProps {
  readonly id: string;
  readonly item: Item;
  readonly isFirst: boolean;
  readonly isChosen: boolean;
  readonly run: () => void;
}

function Line({ id, item: { section, icon, name, keys, hint }, isFirst, isChosen, run }: LineProps) {
  return (
    <>
      {isFirst && (
        <p class="section" role="presentation">
          {section}
        </p>
      )}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys */}
      {/* biome-ignore lint/a11y/useFocusableInteractive: the field has the focus */}
      <div id={id} class="item" role="option" aria-selected={isChosen} onClick={run}>
        <Icon name={icon} />
        <span class="what">{name}</span>
        <span class="grow" />
        {hint && <small>{hint}</small>}
        {keys?.split(" ").map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </div>
    </>
  );
}

const SECTIONS = ["Connection", "Go to", "Channels", "People", "Do", "App"] as const;

function fits({ section, name, words = "" }: Item, wanted: string): boolean {
  // Without a word they would push out what one comes for.
  if (wanted === "") return section !== "App" && !name.startsWith("Settings:");
  const all = `${section} ${name} ${words}`.toLowerCase();
  return wanted
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}

function pages(): Item[] {
  const main = [...PAGES, ...MORE_PAGES].map(({ page, name, icon }) => ({
    ...{ section: "Go to", icon, name, words: WORDS[page] ?? "", keys: KEYS[page] ?? "" },
    act: () => go(to(page)),
  }));
  const settings = SETTINGS.filter(([tab]) => tab !== "audit" || may("operate")).map(([tab, name, words]) => ({
    ...{ section: "Go to", icon: "gear" as const, name: `Settings: ${name}`, words },
    act: () => go(to("settings", { tab })),
  }));
  return [...main, ...settings];
}

function actions(showKeys: () => void): Item[] {
  const act = (icon: IconName, name: string, words: string, run: () => void, keys = ""): Item => ({
    ...{ section: "Do", icon, name, words, keys },
    act: run,
  });
  return [
    ...(may("operate") ? [act("send", "Send event…", "publish trigger", () => openSend(), "e")] : []),
    ...(may("operate") ? [act("key", "Explain a signature…", "signature debugger auth", () => go(to("explain")))] : []),
    act("err", "Show refusals", "error logs errors refused", () => go(to("console", { show: "errors" }))),
    ...THEMES.map(([theme, name]) => act("moon", `Theme: ${name}`, "colours appearance", () => choose(theme))),
    act("more", "Keyboard shortcuts", "keys help", showKeys, "?"),
    ...(session.value?.ways.length ? [act("exit", "Sign out", "log out", () => void attempt(signOut))] : []),
  ];
}

/** The scope of every page: on a phone there is no other way to change it. */
function apps(): Item[] {
  const all = [{ id: "", name: "All apps" }, ...(overview.value?.apps ?? [])];
  return all.slice(0, MOST_APPS + 1).map(({ id, name }) => ({
    ...{ section: "App", icon: "right", name: name || id, words: `switch ${id}` },
    act: () => chooseApp(id),
  }));
}

function connectionsOf(wanted: string): Item[] {
  if (!CONNECTION_ID.test(wanted)) return [];
  const found = { section: "Connection", icon: "plug", name: wanted } as const;
  return [{ ...found, act: () => go(to("connection", { id: wanted })) }];
}

function useChannels(search: string): Item[] {
  const isAsked = search !== "" && !CONNECTION_ID.test(search);
  const parts = chosenApp.value === undefined ? ["channels"] : ["apps", chosenApp.value, "channels"];
  const { data } = useAnswer<ChannelList>(isAsked ? path(parts, { search, limit: FOUND }) : undefined);
  return (data?.channels ?? []).map(({ app, name, subscribers, kind }) => ({
    ...{ section: "Channels", name, hint: `${appName(app)} · ${plural(subscribers, "subscriber")}` },
    icon: ({ public: "hash", private: "lock", presence: "people" } as const)[kind],
    act: () => go(to("channel", { app, name })),
  }));
}

function usePeople(search: string): Item[] {
  const isAsked = search !== "" && !CONNECTION_ID.test(search);
  const { data } = useAnswer<PeopleList>(
    isAsked ? path(["people"], { app: chosenApp.value, search, limit: FOUND }) : undefined,
  );
  return (data?.people ?? []).map(({ app, id, name = id, connections }) => ({
    ...{ section: "People", icon: "user", name, hint: `${appName(app)} · ${plural(connections, "connection")}` },
    act: () => go(to("user", { app, id })),
  }));
}

// ---- the keys

const LIST: readonly (readonly [what: string, keys: string])[] = [
  ["Search or jump to", "Ctrl K"],
  ["This list", "?"],
  ["Overview", "g o"],
  ["Console", "g c"],
  ["Channels", "g h"],
  ["People", "g p"],
  ["Insights", "g i"],
  ["Send event", "e"],
  ["Filter this page", "/"],
  ["Next, previous row", "j k"],
  ["Open the row", "↵"],
  ["Close the details", "Esc"],
  ["Pause or resume the console", "p"],
  ["Only events like this one", "f"],
  ["Copy an event as code", "c"],
  ["Newest event", "Home"],
  ["Send what is written", "Ctrl ↵"],
];

export function KeyList({ close }: { close: () => void }) {
  return (
    <Dialog title="Keyboard shortcuts" look="wide" onClose={close}>
      <dl class="keys">
        {LIST.map(([what, keys]) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
