/** Keys that do something on a page: single ones, two in a row such as `g o`, and `Ctrl K`, which works while somebody writes, too. */

import { useEffect, useRef } from "preact/hooks";

type Keys = Readonly<Record<string, () => void>>;

const TOGETHER_MS = 900;
const WHILE_WRITING = "Ctrl k";

/** Those of every page come last. */
const registered: { readonly current: Keys }[] = [];
let first: { readonly key: string; readonly atMs: number } | undefined;

/** As long as the part of the page that has them is there. */
export function useKeys(keys: Keys, areOfEveryPage = false): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    if (areOfEveryPage) registered.push(latest);
    else registered.unshift(latest);
    return () => void registered.splice(registered.indexOf(latest), 1);
  }, []);
}

window.addEventListener("keydown", (event) => {
  const { target, key, altKey, ctrlKey, metaKey, timeStamp } = event;
  if (altKey || document.querySelector("dialog[open]")) return;
  const name = ctrlKey || metaKey ? `Ctrl ${key.toLowerCase()}` : key;
  const isWriting = target instanceof HTMLElement && target.matches("input, textarea, select");
  if (isWriting && name !== WHILE_WRITING) return;
  // It presses what has the focus.
  if (key === "Enter" && target instanceof HTMLElement && target.closest("a, button, summary")) return;
  const pair = first && timeStamp - first.atMs < TOGETHER_MS ? `${first.key} ${name}` : "";
  const act = actOf(pair) ?? actOf(name);
  first = act ? undefined : { key: name, atMs: timeStamp };
  if (!act) return;
  event.preventDefault();
  act();
});

function actOf(name: string): (() => void) | undefined {
  return registered.map(({ current }) => current[name]).find((act) => act !== undefined);
}
