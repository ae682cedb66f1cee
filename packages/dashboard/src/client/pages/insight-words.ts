/** The labels of what the server stored, as people say them. */

import { titleOfCode } from "../refusals.ts";

export const OTHER = "Other";

/** Shorter than a sentence: a legend has little room. Of other codes the sentence is short enough. */
const REASONS: Readonly<Record<string, string>> = {
  app_unknown: "Unknown key",
  authentication_timeout: "No sign-in",
  backend_unavailable: "Back end away",
  channel_full: "Channel full",
  rate_limited: "Rate limit",
  flooded: "Flood",
  quota_exceeded: "Connection limit",
  signature_invalid: "Signature",
  token_expired: "Token expired",
};

export function reasonWords(code: string): string {
  return REASONS[code] ?? titleOfCode(code);
}

/** `pusher websocket tls` is "Pusher wss". */
export function transportWords(label: string): string {
  const [protocol = "", transport = "", tls] = label.split(" ");
  return `${protocolWord(protocol)} ${transportWord(transport, tls !== undefined)}`;
}

const PROTOCOLS: Readonly<Record<string, string>> = { pusher: "Pusher", native: "Native" };
const WORDS: Readonly<Record<string, string>> = {
  ...{ stream: "stream", poll: "long poll", events: "SSE" },
  ...{ xhr_streaming: "XHR stream", xhr_polling: "XHR polling" },
};

export function protocolWord(protocol: string): string {
  return PROTOCOLS[protocol] ?? protocol;
}

/** A WebSocket's scheme; of HTTP the way, and whether it is not encrypted. */
export function transportWord(transport: string, isEncrypted: boolean): string {
  if (transport === "websocket") return isEncrypted ? "wss" : "ws";
  const word = WORDS[transport] ?? transport;
  return isEncrypted ? `${word}, https` : `${word}, http`;
}
