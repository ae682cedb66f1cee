/** Where in the dashboard one is: in the hash of the address, so that it works below any path and can be sent to others. */

import { computed, signal } from "@preact/signals";

export type Params = Readonly<Record<string, string>>;

export interface Place {
  readonly page: string;
  readonly params: Params;
}

const FIRST = "overview";

/** Where pages of earlier versions are now, so that addresses which people keep go on working. */
const MOVED: Readonly<Record<string, Place>> = {
  charts: { page: "insights", params: {} },
  connections: { page: "people", params: { show: "connections" } },
  apps: { page: "settings", params: { tab: "apps" } },
  nodes: { page: "settings", params: { tab: "nodes" } },
  audit: { page: "settings", params: { tab: "audit" } },
};

export const place = signal(read());
/** The chosen app; undefined is all of them. */
export const chosenApp = computed(() => place.value.params.app || undefined);

window.addEventListener("hashchange", () => {
  place.value = read();
});

/** The address of a page. The chosen app goes along, unless another is named. */
export function to(page: string, params: Readonly<Record<string, string | undefined>> = {}): string {
  const all: Record<string, string | undefined> = { app: chosenApp.value, ...params };
  return write(page, all);
}

/** Replaces parameters of the page one is on, without a step in the history: filters. Undefined takes one away. */
export function change(params: Readonly<Record<string, string | undefined>>): void {
  const { page, params: before } = place.value;
  history.replaceState(null, "", write(page, { ...before, ...params }));
  place.value = read();
}

export function go(address: string): void {
  location.hash = address;
}

function write(page: string, params: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(params).flatMap(([name, value]) => (value ? [[name, value]] : []));
  return given.length > 0 ? `#/${page}?${new URLSearchParams(given)}` : `#/${page}`;
}

function read(): Place {
  const [page = "", query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const params = Object.fromEntries(new URLSearchParams(query));
  const moved = Object.hasOwn(MOVED, page) ? MOVED[page] : undefined;
  return moved ? { page: moved.page, params: { ...moved.params, ...params } } : { page: page || FIRST, params };
}
