/** @jsxImportSource react */
/** Many components that render slowly and read the same list. After each commit it is noted what all of them show. */

import { FanfareProvider, useEvents } from "@fanfare/client/react";
import { startTransition, useLayoutEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { client } from "./client.ts";

const SLOW_MS = 3;
const KEYS = Array.from({ length: 10 }, (_, index) => `slow-${index}`);
const lengths: number[] = [];
/** Commits in which components showed different lengths. */
const torn: number[][] = [];
let showAnother = () => {};

function Slow({ name }: { name: string; step: number }) {
  const { length } = useEvents(name, "said", { keep: 1_000 });
  const until = performance.now() + SLOW_MS;
  while (performance.now() < until);
  useLayoutEffect(note);
  return <p>{length}</p>;
}

function note() {
  const shown = Array.from(document.querySelectorAll("p"), (it) => Number(it.textContent));
  if (new Set(shown).size > 1) torn.push(shown);
  lengths.push(shown[0] ?? 0);
}

function All({ name }: { name: string }) {
  const [step, setStep] = useState(0);
  showAnother = () => setStep((before) => before + 1);
  return KEYS.map((key) => <Slow key={key} name={name} step={step} />);
}

Object.assign(window, {
  lengths,
  torn,
  start(name: string) {
    const root = createRoot(document.querySelector("#root") as HTMLElement);
    root.render(
      <FanfareProvider client={client}>
        <All name={name} />
      </FanfareProvider>,
    );
  },
  showInTransition: () => startTransition(() => showAnother()),
});
