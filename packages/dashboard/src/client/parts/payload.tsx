/** A payload to read: JSON with its parts told apart, anything else as it is, and a word where it was cut. Always text, never HTML. */

import type { Payload } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { isCut, parsed, size } from "../show.ts";
import { Copy } from "./small.tsx";

/** More would make the page slow; the whole can be copied. */
const MOST_CHARACTERS = 60_000;

export function PayloadView({ payload, label = "Payload" }: { payload: Payload; label?: string }) {
  const json = parsed(payload.text);
  const text = json ? JSON.stringify(json.value, null, 2) : payload.text;
  return (
    <div class="payload">
      <div class="payload-head">
        <span>
          {label} <small>{size(payload.bytes)}</small>
        </span>
        <Copy text={text} what={label.toLowerCase()} />
      </div>
      <section class="pre" aria-label={label}>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
        <pre tabIndex={0}>{json ? colored(text.slice(0, MOST_CHARACTERS)) : text.slice(0, MOST_CHARACTERS)}</pre>
      </section>
      {isCut(payload) && (
        <p class="cut">
          Cut: the first {size(new TextEncoder().encode(payload.text).length)} of {size(payload.bytes)}.
        </p>
      )}
    </div>
  );
}

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;

function colored(json: string): ComponentChildren[] {
  const parts: ComponentChildren[] = [];
  let end = 0;
  for (const match of json.matchAll(TOKEN)) {
    const [all, text, colon, number] = match;
    if (match.index > end) parts.push(json.slice(end, match.index));
    const kind = text === undefined ? (number === undefined ? "j-word" : "j-number") : colon ? "j-key" : "j-text";
    parts.push(<span class={kind}>{text ?? all}</span>, colon ?? "");
    end = match.index + all.length;
  }
  parts.push(json.slice(end));
  return parts;
}
