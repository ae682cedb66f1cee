/** The query of the console: one field in which what is written becomes chips, with suggestions of what there is. */

import { useId, useRef, useState } from "preact/hooks";
import type { ConsoleEntry } from "../feed.ts";
import { type Chip, chipsOf, paramsOf, parse, suggestions } from "../query.ts";
import { change, place } from "../route.ts";
import { Icon } from "./icon.tsx";

interface QueryBarProps {
  /** Of what there is in them suggestions are made. */
  readonly entries: () => readonly ConsoleEntry[];
  /** How many fit, where not all do. */
  readonly matches: string | undefined;
}

export function QueryBar({ entries, matches }: QueryBarProps) {
  const chips = chipsOf(place.value.params);
  const [text, write] = useState("");
  const [isOpen, open] = useState(false);
  const [at, move] = useState(0);
  const field = useRef<HTMLInputElement>(null);
  const id = useId();
  const word = /\S*$/.exec(text)?.[0] ?? "";
  const found = isOpen ? suggestions(word, entries()) : [];
  const put = (all: readonly Chip[]) => change(paramsOf(all));
  const enter = (written: string) => {
    put([...chips, ...parse(written)]);
    write("");
    open(false);
  };
  const complete = (suggested: string) => {
    const whole = text.slice(0, text.length - word.length) + suggested;
    if (suggested.endsWith(":")) write(whole);
    else enter(whole);
    move(0);
    field.current?.focus();
  };
  const press = (event: KeyboardEvent) => {
    const suggested = found[at]?.[0];
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by !== undefined && found.length > 0) move((at + by + found.length) % found.length);
    else if (event.key === "Tab" && suggested && word !== "" && suggested !== word) complete(suggested);
    else if (event.key === "Enter") enter(text);
    else if (event.key === "Backspace" && text === "") put(chips.slice(0, -1));
    else if (event.key === "Escape") field.current?.blur();
    else return;
    if (event.key !== "Backspace") event.preventDefault();
  };
  return (
    <search class="query">
      <Icon name="search" />
      <Chips chips={chips} drop={(index) => put(chips.toSpliced(index, 1))} />
      <input
        ref={field}
        data-search=""
        type="text"
        role="combobox"
        aria-expanded={found.length > 0}
        aria-controls={id}
        aria-autocomplete="list"
        aria-activedescendant={found.length > 0 ? `${id}-${at}` : undefined}
        aria-label="Filter events"
        placeholder="Filter: channel:orders  event:order.*  user:42  type:refused, or any text"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onFocus={() => open(true)}
        onBlur={() => open(false)}
        onInput={(event) => {
          write(event.currentTarget.value);
          open(true);
          move(0);
        }}
        onKeyDown={press}
      />
      {matches && <small class="matches">{matches}</small>}
      <kbd class="wide">/</kbd>
      <Suggestions id={id} found={found} at={at} complete={complete} />
    </search>
  );
}

function Chips({ chips, drop }: { chips: readonly Chip[]; drop: (index: number) => void }) {
  return (
    <>
      {chips.map(({ field, value }, index) => {
        const words = field === "text" ? value : `${field}:${value}`;
        return (
          <span key={words} class="query-chip">
            <span class="what">{words}</span>
            <button type="button" class="quiet" aria-label={`Remove ${words}`} onClick={() => drop(index)}>
              <Icon name="x" isSmall />
            </button>
          </span>
        );
      })}
    </>
  );
}

interface SuggestionsProps {
  readonly id: string;
  readonly found: readonly (readonly [string, string])[];
  readonly at: number;
  readonly complete: (suggested: string) => void;
}

function Suggestions({ id, found, at, complete }: SuggestionsProps) {
  return (
    <div id={id} role="listbox" aria-label="Suggestions" class="suggestions" hidden={found.length === 0}>
      {found.map(([suggested, hint], index) => (
        // biome-ignore lint/a11y/useFocusableInteractive: the field has the focus
        <div
          key={suggested}
          id={`${id}-${index}`}
          role="option"
          aria-selected={index === at}
          // Before the field loses the focus, and the list its reason to be there.
          onMouseDown={(event) => {
            event.preventDefault();
            complete(suggested);
          }}
        >
          {suggested}
          <small>{hint}</small>
        </div>
      ))}
    </div>
  );
}
