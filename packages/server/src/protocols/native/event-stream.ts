/**
 * What clients of one-way server-sent events read: `event` and `data` of each publication, and the server's own words. Encoded once for
 * all of them; a first line, which no client sees, says what a reader needs for its own `id`. Normative text: docs/protocol/native.md.
 */

import type { CommandErrorCode, Reconnect } from "../../domain/error.ts";
import type { EventPublication, NoticePush, Position, Push } from "../../domain/message.ts";
import type { Protocol } from "../../domain/transport.ts";
import { nativeProtocol } from "./codec.ts";

/** What the first line of a frame says. */
export interface EventHead {
  readonly kind: "event" | "subscribed" | "refused" | "closing" | "word";
  readonly channel?: string;
  readonly position?: Position;
  /** Why it was refused, or ended. */
  readonly code?: CommandErrorCode | string;
  readonly message?: string;
  readonly reconnect?: Reconnect;
  readonly afterMs?: number;
}

/** Such an event would look as if the browser had lost the connection, or had it back. */
const EVENT_SOURCE_NAMES: ReadonlySet<string> = new Set(["error", "open"]);

/** With `isFull` the data of each event is the whole native frame. Clients send nothing: what is decoded, the server asks for them. */
export function eventStreamProtocol(options: { readonly jsonDepth: number; readonly isFull: boolean }): Protocol {
  const native = nativeProtocol(options);
  return {
    ...native,
    name: "events",
    ...(options.isFull && { variant: "full" }),
    joinsUserChannel: false,
    encode: (push) => encode(native, options.isFull, push),
    encodeClose(why) {
      const { frame = "", ...close } = native.encodeClose(why);
      const { code, message, reconnect, afterMs } = why;
      const head = { kind: "closing", code, message, reconnect, ...(afterMs !== undefined && { afterMs }) } as const;
      return { ...close, frame: headed(head, word(frame)) };
    },
    reservesEvent: () => false,
  };
}

/** The first line, and the text behind it: server-sent events, of which the last has room for an `id` and is not ended. */
export function splitEventFrame(frame: string): { readonly head: EventHead; readonly text: string } {
  const end = frame.indexOf("\n");
  return { head: JSON.parse(frame.slice(0, end)), text: frame.slice(end + 1) };
}

function encode(native: Protocol, isFull: boolean, push: Push): string | undefined {
  switch (push.type) {
    case "event":
    case "notice":
      return publication(native, isFull, push);
    case "welcome":
    case "signed-in":
    case "published":
    case "history":
    case "result":
    case "pong":
      return undefined;
    case "subscribed":
      return subscribed(native, push);
    case "refused": {
      const { error, command } = push;
      const channel = command && "channel" in command ? command.channel : error.about?.channel;
      const head = { kind: "refused", code: error.code, message: error.message, ...(channel && { channel }) } as const;
      return headed(head, word(native.encode(push), "refused"));
    }
  }
  const frame = native.encode(push);
  return frame && headed({ kind: "word" }, word(frame));
}

function publication(native: Protocol, isFull: boolean, push: EventPublication | NoticePush): string {
  const { event, data } = push;
  const isNamed = !EVENT_SOURCE_NAMES.has(event) && !/[\r\n]/.test(event);
  const text = block(isNamed ? event : "message", isFull || !isNamed ? (native.encode(push) ?? "") : data);
  if (push.type === "notice") return headed({ kind: "event" }, text);
  const { channel, position } = push;
  return headed({ kind: "event", channel, ...(position && { position }) }, text);
}

/** Whether everything was recovered comes first: whoever is cut off behind it has not lost the position that it goes on from. */
function subscribed(native: Protocol, push: Extract<Push, { type: "subscribed" }>): string {
  const { recovered, ...rest } = push;
  const { channel, position } = push;
  const answer = word(native.encode(rest));
  const first = recovered === undefined ? "" : `${recoveredWord(channel, recovered)}\n`;
  return headed({ kind: "subscribed", channel, ...(position && { position }) }, first + answer);
}

function recoveredWord(channel: string, recovered: boolean): string {
  return block("fanfare:recovered", JSON.stringify({ channel, recovered }));
}

/** The members of a native frame, under the name of its event. */
function word(frame = "", name?: string): string {
  const [start = "", event = ""] = /^\{"event":"(\w+)",?/.exec(frame) ?? [];
  return block(`fanfare:${name ?? event}`, `{${frame.slice(start.length)}`);
}

function block(event: string, data: string): string {
  const lines = data.includes("\n") || data.includes("\r") ? data.replaceAll(/\r\n|\r|\n/g, "\ndata: ") : data;
  return `event: ${event}\ndata: ${lines}\n`;
}

function headed(head: EventHead, text: string): string {
  return `${JSON.stringify(head)}\n${text}`;
}
