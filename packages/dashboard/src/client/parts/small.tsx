/** The small things that every page has: times, marks, sizes, a copy button, a page's head. */

import { signal } from "@preact/signals";
import type { FeedType } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { clock, dateAndTime, iso, lasting, type Tone, TYPE_ICONS, TYPE_NAMES, TYPE_TONES } from "../show.ts";
import { Icon } from "./icon.tsx";

/** In the person's time zone; the title says it in UTC. */
export function Time({ atMs, isLong = false }: { atMs: number; isLong?: boolean }) {
  return (
    <time datetime={iso(atMs)} title={iso(atMs)}>
      {isLong ? dateAndTime(atMs) : clock(atMs)}
    </time>
  );
}

/** Grows by itself. */
export function Since({ atMs }: { atMs: number }) {
  const nowMs = useNow(1_000);
  return (
    <time datetime={iso(atMs)} title={iso(atMs)}>
      {lasting(nowMs - atMs)}
    </time>
  );
}

export function useNow(everyMs: number): number {
  const [nowMs, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return nowMs;
}

export function Mark({ tone = "plain", children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={`mark ${tone}`}>{children}</span>;
}

export function TypeMark({ type }: { type: FeedType }) {
  const name = TYPE_NAMES[type] ?? type;
  return (
    <span class={`type ${TYPE_TONES[type] ?? "plain"}`} title={name}>
      <Icon name={TYPE_ICONS[type] ?? "msg"} isSmall />
      <span class="type-name">{name}</span>
    </span>
  );
}

interface HeadProps {
  readonly title: ComponentChildren;
  /** What the document is called, where the title is no text. */
  readonly name?: string;
  /** The page above it: a link. */
  readonly crumb?: ComponentChildren;
  readonly lead?: ComponentChildren;
  /** What can be done on the page; stands above its content. */
  readonly children?: ComponentChildren;
}

const heading = signal<Pick<HeadProps, "title" | "crumb" | "lead">>({ title: "" });
const TITLE = "page-title";

let isFirstPage = true;

/** A page's title takes the focus when one comes to it from another, so that a screen reader says where one is. */
export function Head({ title, name, crumb, lead, children }: HeadProps) {
  const called = name ?? (typeof title === "string" ? title : "");
  useLayoutEffect(() => {
    heading.value = { title, crumb, lead };
  });
  useEffect(() => {
    if (!isFirstPage) document.getElementById(TITLE)?.focus({ preventScroll: true });
    isFirstPage = false;
  }, []);
  useEffect(() => {
    document.title = called === "" ? "Fanfare" : `${called} · Fanfare`;
  }, [called]);
  return children ? <div class="tools">{children}</div> : null;
}

/** What the page's head says, at the top of every page. */
export function Heading() {
  const { title, crumb, lead } = heading.value;
  return (
    <div class="page-head">
      {crumb && (
        <>
          {crumb}
          <Icon name="right" isSmall />
        </>
      )}
      <h1 id={TITLE} tabIndex={-1}>
        {title}
      </h1>
      {lead && <p class="lead">{lead}</p>}
    </div>
  );
}

export function Copy({ text, what, shown = "Copy" }: { text: string; what: string; shown?: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    setCopied(await toClipboard(text));
    setTimeout(() => setCopied(false), 2_000);
  };
  return (
    <button type="button" class="quiet" aria-label={`Copy ${what}`} onClick={copy}>
      {isCopied ? "Copied" : shown}
    </button>
  );
}

/** Browsers have a clipboard only where the page came over TLS or from the machine itself; elsewhere it is the old way. */
export async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    const place = document.querySelector("dialog[open]") ?? document.body;
    place.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    return isDone;
  }
}

interface SearchProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (value: string) => void;
  readonly isFirst?: boolean;
  readonly list?: string;
}

/** The first one of a page is where `/` leads. */
export function Search({ label, value, onInput, isFirst = false, list }: SearchProps) {
  return (
    <input
      type="search"
      class="search"
      placeholder={isFirst ? `${label}  /` : label}
      aria-label={label}
      value={value}
      {...(isFirst ? { "data-search": "" } : {})}
      {...(list === undefined ? {} : { list })}
      autocomplete="off"
      spellcheck={false}
      onInput={(event) => onInput(event.currentTarget.value)}
    />
  );
}

interface FactsProps {
  readonly rows: readonly (readonly [string, ComponentChildren])[];
  /** Each a line, with its name beside it. */
  readonly isList?: boolean;
}

export function Facts({ rows, isList = false }: FactsProps) {
  return (
    <dl class={isList ? "facts fact-list" : "facts"}>
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
