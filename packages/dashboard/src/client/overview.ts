/** What is known of the whole server on every page: its nodes, its apps, what it can do. */

import { computed, signal } from "@preact/signals";
import type { Abilities, Overview, Webhooks } from "fanfare/wire/admin";
import { chosenApp } from "./route.ts";

/** A node that was last heard from so long ago is said to be silent. */
export const SILENT_MS = 10_000;
/** Of all apps, a page of lists asks for so many. */
const MOST_APPS = 20;

export const overview = signal<Overview | undefined>(undefined);
/** How many webhooks wait and have failed, of all apps. */
export const backlog = signal<Webhooks | undefined>(undefined);

/** The chosen app, or the only one there is. */
export const theApp = computed(() => {
  if (chosenApp.value !== undefined) return chosenApp.value;
  const apps = overview.value?.apps ?? [];
  return apps.length === 1 ? apps[0]?.id : undefined;
});

/** The ids of the apps that a page of lists is about, joined, so that the same apps are the same. Undefined until they are known. */
const scope = computed(() => {
  if (chosenApp.value !== undefined) return chosenApp.value;
  return overview.value?.apps
    .slice(0, MOST_APPS)
    .map(({ id }) => id)
    .join("\n");
});

/** The apps that a page of lists is about: the chosen one, or all of them. Undefined until they are known. */
export const appsInScope = computed(() => scope.value?.split("\n").filter((id) => id !== ""));

/** Until the server has said, everything is taken to be there. */
export function has(ability: keyof Abilities): boolean {
  return overview.value?.has[ability] ?? true;
}

export function nodeName(id: string): string {
  const node = overview.value?.nodes.find((it) => it.id === id);
  return node?.name || id.slice(0, 8);
}

export function appName(id: string): string {
  return overview.value?.apps.find((it) => it.id === id)?.name || id;
}
