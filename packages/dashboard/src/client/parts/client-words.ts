/** What a connection came by, in a line: its library, its browser, and how it is connected. */

import type { FeedEntry } from "fanfare/wire/admin";
import { clientWords } from "./lanes.tsx";

/** `pusher-js 8.4 · Chrome 142, macOS · wss`. Empty where nothing is known. */
export function clientWordsOf({ library, protocol, agent, transport, isEncrypted }: FeedEntry): string {
  const name = library ?? protocol;
  if (name === undefined) return "";
  const how = transport ?? (isEncrypted === undefined ? undefined : isEncrypted ? "wss" : "ws");
  return [clientWords(name, agent), how].filter(Boolean).join(" · ");
}
