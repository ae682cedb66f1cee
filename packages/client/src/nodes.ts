/** Addresses from the server's own list of its nodes. */

import { FanfareError } from "./errors.ts";

export type NodeStrategy = "round_robin" | "random" | "least_connections";

export interface NodesOptions {
  /** Which node comes first. Default: the server's, `round_robin`. */
  readonly strategy?: NodeStrategy;
  /** The app's key. Default: the server's first app. */
  readonly app?: string;
}

const STRATEGIES: readonly NodeStrategy[] = ["round_robin", "random", "least_connections"];
const TIMEOUT_MS = 5_000;

/**
 * Asks `GET URL` for the nodes before each attempt to connect: `url: nodes("https://ws.example.com/nodes", { strategy: "random" })`. If
 * there is no answer within 5 s, the last list counts; if there never was one, the address itself without `/nodes`.
 *
 * Throws a TypeError if there is no such strategy.
 */
export function nodes(
  url: string,
  { strategy = "round_robin", app }: NodesOptions = {},
): (signal: AbortSignal) => Promise<readonly string[]> {
  if (!STRATEGIES.includes(strategy))
    throw new TypeError(`Invalid load balancing strategy "${strategy}": there are ${STRATEGIES.join(", ")}.`);
  const query = `strategy=${strategy}${app === undefined ? "" : `&app=${encodeURIComponent(app)}`}`;
  const address = `${url}${url.includes("?") ? "&" : "?"}${query}`;
  let known: readonly string[] = [url.replace(/\/nodes\/?(\?.*)?$/, "")];
  return async (signal) => {
    try {
      const found = await askFor(address, signal);
      if (found.length > 0) known = found;
    } catch (error) {
      if (signal.aborted) throw error;
    }
    return known;
  };
}

async function askFor(address: string, signal: AbortSignal): Promise<readonly string[]> {
  const abort = new AbortController();
  const stop = () => abort.abort();
  const timer = setTimeout(stop, TIMEOUT_MS);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const response = await fetch(address, { signal: abort.signal });
    if (!response.ok) throw new FanfareError("connection_lost", `GET ${address} was answered with ${response.status}.`);
    const list: { readonly nodes: readonly { readonly url: string }[] } = await response.json();
    return list.nodes.map((node) => node.url);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
