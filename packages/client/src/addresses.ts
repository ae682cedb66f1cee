/** Which of the server's addresses is dialed next. */

import type { Environment } from "./environment.ts";
import { FanfareError } from "./errors.ts";
import type { ClientOptions } from "./types.ts";

export interface Addresses {
  choose(signal: AbortSignal): Promise<string>;
  /** It failed, or asked to go elsewhere: others go first for a while. */
  avoid(url: string): void;
}

const AVOIDED_MS = 30_000;

export function createAddresses(source: ClientOptions["url"], environment: Environment): Addresses {
  const avoidedAt = new Map<string, number>();
  const penalty = (url: string) => {
    const at = avoidedAt.get(url);
    return at === undefined || environment.now() - at > AVOIDED_MS ? 0 : at;
  };
  return {
    async choose(signal) {
      const found = typeof source === "function" ? await source(signal) : source;
      const urls = (typeof found === "string" ? [found] : found).map((url) => url.replace(/^http/, "ws"));
      // The sort is stable: of those that nothing speaks against, the first.
      const [url] = urls.sort((one, other) => penalty(one) - penalty(other));
      if (url === undefined) throw new FanfareError("connection_lost", "There is no address.", { retryable: true });
      return url;
    },
    avoid(url) {
      avoidedAt.delete(url);
      avoidedAt.set(url, environment.now());
      const [oldest] = avoidedAt.keys();
      if (avoidedAt.size > 100 && oldest !== undefined) avoidedAt.delete(oldest);
    },
  };
}

export function withQuery(url: string, query: Readonly<Record<string, string | undefined>>): string {
  let text = url;
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) text += `${text.includes("?") ? "&" : "?"}${name}=${encodeURIComponent(value)}`;
  return text;
}
