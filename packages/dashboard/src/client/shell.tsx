/** What is around every page: where one can go, what is always at hand, and whether what one sees is live. */

import type { Overview } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { live } from "./live.ts";
import { Menu, TabBar } from "./menu.tsx";
import { overview } from "./overview.ts";
import { KeyList, Palette } from "./palette.tsx";
import { useAnswer } from "./parts/answer.ts";
import { useRatesOfAll } from "./parts/channel-rates.ts";
import { Icon } from "./parts/icon.tsx";
import { useKeys } from "./parts/keys.ts";
import { Heading, useNow } from "./parts/small.tsx";
import { chosenApp, go, to } from "./route.ts";
import { openSend, SendDialog } from "./send-dialog.tsx";
import { obstacle } from "./session.ts";
import { clock } from "./show.ts";

const EVERY_MS = 5_000;

export function Shell({ children }: { children: ComponentChildren }) {
  const { data, error } = useAnswer<Overview>("api/overview", EVERY_MS);
  const [opened, open] = useState<"palette" | "keys">();
  const close = () => open(undefined);
  useRatesOfAll(chosenApp.value);
  useEffect(() => {
    if (data) overview.value = data;
  }, [data]);
  useEffect(() => {
    live.start();
    return () => live.stop();
  }, []);
  useKeys(
    {
      "Ctrl k": () => open("palette"),
      "?": () => open("keys"),
      "/": () => {
        const search = document.querySelector<HTMLElement>("[data-search]");
        if (search) search.focus();
        else open("palette");
      },
      e: () => obstacle("operate") === undefined && openSend(),
      "g o": () => go(to("overview")),
      "g c": () => go(to("console")),
      "g h": () => go(to("channels")),
      "g p": () => go(to("people")),
      "g i": () => go(to("insights")),
      j: () => step(1),
      k: () => step(-1),
    },
    true,
  );
  return (
    <div class="shell">
      <button type="button" class="skip" onClick={skip}>
        Skip to the content
      </button>
      <Menu />
      <header class="top">
        <Heading />
        <span class="grow" />
        <Find open={() => open("palette")} />
        <LiveMark />
        <SendButton />
        <button type="button" class="quiet wide" aria-label="Keyboard shortcuts" title="?" onClick={() => open("keys")}>
          ?
        </button>
      </header>
      <main id="content" tabIndex={-1}>
        <Offline />
        {error && error.code !== "offline" && overview.value && (
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
      <TabBar more={() => open("palette")} />
      <SendDialog />
      {opened === "palette" && <Palette close={close} showKeys={() => open("keys")} />}
      {opened === "keys" && <KeyList close={close} />}
    </div>
  );
}

/** Not by an address: the hash of this page says where one is. */
function skip(): void {
  const content = document.getElementById("content");
  content?.focus();
  content?.scrollIntoView();
}

/** From row to row of a table, by what each leads to. */
function step(by: 1 | -1): void {
  const links = [...document.querySelectorAll<HTMLElement>("main tbody tr > :first-child a")];
  const at = links.indexOf(document.activeElement as HTMLElement);
  links[Math.max(0, Math.min(links.length - 1, at < 0 ? 0 : at + by))]?.focus();
}

function Find({ open }: { open: () => void }) {
  return (
    <button type="button" class="find" onClick={open}>
      <Icon name="search" isSmall />
      <span>Search or jump to…</span>
      <kbd>Ctrl K</kbd>
    </button>
  );
}

function SendButton() {
  const why = obstacle("operate");
  return (
    <button type="button" class="send-button" title={why} disabled={why !== undefined} onClick={() => openSend()}>
      <Icon name="send" isSmall />
      <span>Send event</span>
    </button>
  );
}

const LIVE_WORDS = { off: "Off", connecting: "Connecting…", live: "Live", waiting: "Offline" } as const;

function LiveMark() {
  const { is } = live.state.value;
  return (
    <span class="live" data-state={is} role="status">
      <span class="dot" aria-hidden="true" />
      <span class="live-word">{LIVE_WORDS[is]}</span>
    </span>
  );
}

/** What was shown stays, and is as old as the banner says. */
function Offline() {
  const state = live.state.value;
  const nowMs = useNow(1_000);
  if (state.is !== "waiting") return null;
  const restS = Math.ceil((state.untilMs - nowMs) / 1000);
  return (
    <div class="offline" title={state.why}>
      <Icon name="unplug" />
      <span role="alert">
        The server cannot be reached since {clock(state.sinceMs).slice(0, 8)}. What you see is from then.
      </span>
      <span>{restS > 0 ? `Next attempt in ${restS} s.` : "Trying…"}</span>
      <span class="grow" />
      <button type="button" onClick={() => live.retry()}>
        Retry now
      </button>
    </div>
  );
}
