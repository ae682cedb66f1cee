/** What is known of the whole server on every page: its nodes, its apps, what it can do. */

import { computed, signal } from "@preact/signals";
import { type Abilities, type NodeEntry, OVERLOADED_LAG_MS, type Overview, type Webhooks } from "fanfare/wire/admin";
import { chosenApp } from "./route.ts";

/** A node that was last heard from so long ago is said to be silent. */
const SILENT_MS = 10_000;

export const overview = signal<Overview | undefined>(undefined);
/** How many webhooks wait and have failed, of all apps. */
export const backlog = signal<Webhooks | undefined>(undefined);

/** The chosen app, or the only one there is. */
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

type NodeState = readonly ["bad", "silent"] | readonly ["warn", "overloaded" | "draining"] | readonly ["good", "up"];

/** The worst that there is to say of a node. */
export function nodeState({ silentMs, lagMs, draining }: NodeEntry): NodeState {
  if (silentMs > SILENT_MS) return ["bad", "silent"];
  if (lagMs > OVERLOADED_LAG_MS) return ["warn", "overloaded"];
  return draining ? ["warn", "draining"] : ["good", "up"];
}

export function appName(id: string): string {
  return overview.value?.apps.find((it) => it.id === id)?.name || id;
}
