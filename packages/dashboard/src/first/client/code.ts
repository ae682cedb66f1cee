/** Code in tabs, each with a button that copies it. */

import { find, make } from "./dom.ts";
import { paint } from "./paint.ts";
import type { Snippet } from "./snippets.ts";

const COPIED_MS = 2_000;

/** Fills a panel that has a tab list, a code block and a copy button. */
export function showCode(panel: HTMLElement, snippets: readonly Snippet[]): void {
  const list = find(".tabs", HTMLElement, panel);
  const block = find("pre", HTMLPreElement, panel);
  const code = find("code", HTMLElement, block);
  // Whoever has no mouse scrolls it with the arrow keys.
  block.tabIndex = 0;
  const tabs = snippets.map(({ title }) => tab(title, block.id));
  const select = (chosen: number, moveFocus: boolean) => {
    for (const [index, it] of tabs.entries()) {
      it.ariaSelected = String(index === chosen);
      it.tabIndex = index === chosen ? 0 : -1;
    }
    paint(code, snippets[chosen]?.code ?? "");
    block.scrollTo(0, 0);
    if (moveFocus) tabs[chosen]?.focus();
  };
  for (const [index, it] of tabs.entries()) it.addEventListener("click", () => select(index, false));
  list.addEventListener("keydown", ({ key }) => {
    const now = tabs.findIndex((it) => it.ariaSelected === "true");
    const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: -1 }[key];
    if (next !== undefined) select((next + tabs.length) % tabs.length, true);
  });
  list.replaceChildren(...tabs);
  select(0, false);
  copies(find(".copy", HTMLButtonElement, panel), code);
}

function tab(title: string, controls: string): HTMLButtonElement {
  const button = make("button", "tab", title);
  button.type = "button";
  button.role = "tab";
  button.setAttribute("aria-controls", controls);
  return button;
}

function copies(button: HTMLButtonElement, code: HTMLElement): void {
  const label = button.textContent;
  let timer: ReturnType<typeof setTimeout> | undefined;
  button.addEventListener("click", async () => {
    const isCopied = await copy(code);
    clearTimeout(timer);
    button.textContent = isCopied ? "Copied" : "Press Ctrl+C";
    timer = setTimeout(() => {
      button.textContent = label;
    }, COPIED_MS);
  });
}

/** Pages that came by plain http from another machine have no clipboard; there the old way works, or the selection stays. */
async function copy(code: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(code.textContent ?? "");
    return true;
  } catch {
    getSelection()?.selectAllChildren(code);
    return document.execCommand("copy");
  }
}
