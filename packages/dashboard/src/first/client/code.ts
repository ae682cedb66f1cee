/** The code behind the board, in tabs: its lines say how often they ran, and light up when they do. */

import { count, find, make, makeButton, perFrame, scrollable } from "./dom.ts";
import { painted } from "./paint.ts";
import type { Hit, Snippet } from "./snippets.ts";

const COPIED_MS = 2_000;
const HOT_MS = 900;

export class Code {
  readonly #panel = find("#code", HTMLElement);
  readonly #block = scrollable(find("#code-block", HTMLElement));
  readonly #snippets: readonly Snippet[];
  readonly #tabs: readonly HTMLButtonElement[];
  readonly #hits = new Map<Hit, { count: number; atMs: number }>();
  #chosen = 0;
  readonly #countSoon = perFrame(() => this.#count());

  constructor(snippets: readonly Snippet[]) {
    this.#snippets = snippets;
    this.#tabs = snippets.map(({ title }, index) => this.#tab(title, index));
    const list = find(".tabs", HTMLElement, this.#panel);
    list.append(...this.#tabs);
    list.addEventListener("keydown", ({ key }) => {
      const next = { ArrowRight: this.#chosen + 1, ArrowLeft: this.#chosen - 1, Home: 0, End: -1 }[key];
      if (next === undefined) return;
      this.#choose((next + this.#tabs.length) % this.#tabs.length);
      this.#tabs[this.#chosen]?.focus();
    });
    this.#choose(0);
    const copy = find(".copy", HTMLButtonElement, this.#panel);
    copies(copy, () => this.#snippets[this.#chosen]?.code ?? "", this.#block);
  }

  /** It ran. */
  hit(line: Hit): void {
    this.#hits.set(line, { count: (this.#hits.get(line)?.count ?? 0) + 1, atMs: Date.now() });
    this.#countSoon();
  }

  #tab(title: string, index: number): HTMLButtonElement {
    const button = makeButton("tab", title);
    button.role = "tab";
    button.setAttribute("aria-controls", this.#block.id);
    button.addEventListener("click", () => this.#choose(index));
    return button;
  }

  #choose(chosen: number): void {
    this.#chosen = chosen;
    for (const [index, tab] of this.#tabs.entries()) {
      tab.ariaSelected = String(index === chosen);
      tab.tabIndex = index === chosen ? 0 : -1;
    }
    const { code = "", hits = {} } = this.#snippets[chosen] ?? {};
    const lines = code.split("\n").map((text) => {
      const line = make("div", "line", make("code", "", ...painted(text)));
      const hit = Object.entries(hits).find(([part]) => text.includes(part))?.[1];
      if (hit) {
        line.dataset.hit = hit;
        line.append(make("span", "hits"));
      }
      return line;
    });
    this.#block.replaceChildren(...lines);
    this.#count();
  }

  #count(): void {
    for (const line of this.#block.querySelectorAll<HTMLElement>("[data-hit]")) {
      const ran = this.#hits.get(line.dataset.hit as Hit);
      const leftMs = ran ? ran.atMs + HOT_MS - Date.now() : 0;
      // What has come back after a cut is the point of it: its line stays lit.
      const isHot = leftMs > 0 || (line.dataset.hit === "recovered" && ran !== undefined);
      line.classList.toggle("hot", isHot);
      const hits = line.querySelector(".hits");
      if (hits) hits.textContent = `${count(ran?.count ?? 0)}×`;
      if (leftMs > 0) setTimeout(this.#countSoon, leftMs + 20);
    }
  }
}

function copies(button: HTMLButtonElement, text: () => string, block: HTMLElement): void {
  const words = find("span", HTMLElement, button);
  const label = words.textContent;
  let timer: ReturnType<typeof setTimeout> | undefined;
  button.addEventListener("click", async () => {
    const isCopied = await copy(text(), block);
    clearTimeout(timer);
    words.textContent = isCopied ? "Copied" : "Press Ctrl+C";
    timer = setTimeout(() => {
      words.textContent = label;
    }, COPIED_MS);
  });
}

/** Pages that came by plain http from another machine have no clipboard; there the old way works, or the selection stays. */
async function copy(text: string, block: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection()?.selectAllChildren(block);
    return document.execCommand("copy");
  }
}
