/** What is known of the whole server on every page: its nodes, its apps, what it can do. */

import { computed, signal } from "@preact/signals";
import type { Abilities, Overview } from "fanfare/wire/admin";
import { chosenApp } from "./route.ts";

/** A node that was last heard from so long ago is said to be silent. */
export const SILENT_MS = 10_000;

export const overview = signal<Overview | undefined>(undefined);

/** The app that a page is about that needs one: the chosen one, or the only one there is. */
export const theApp = computed(() => {
  if (chosenApp.value !== undefined) return chosenApp.value;
  const apps = overview.value?.apps ?? [];
  return apps.length === 1 ? apps[0]?.id : undefined;
});

/** Until the server has said, everything is taken to be there. */
export function has(ability: keyof Abilities): boolean {
  return overview.value?.has[ability] ?? true;
}

export function nodeName(id: string): string {
  const node = overview.value?.nodes.find((it) => it.id === id);
  return node?.name || id.slice(0, 8);
}
