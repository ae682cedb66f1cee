/** Writes what happens to the log: faults as errors, comings, goings and messages at debug. Never a secret or a token. */

import type { Logger } from "pino";
import { FileError } from "../database/file-error.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { Observer } from "../domain/ports.ts";
import type { FrameObserver } from "../domain/traffic.ts";
import type { Frame } from "../domain/transport.ts";
import { ErrorDeduplicator, type Fault } from "./error-deduplicator.ts";
import { redact, redactFrame, redactReason } from "./redact.ts";

type Failed = Extract<HubEvent, { type: "failed" }>;
type Refused = Extract<HubEvent, { type: "refused" | "api-refused" | "rejected" }>;

interface Entry extends Fault {
  readonly event: Failed | Refused;
}

/** Faults and refusals on their way to the log: of thousands alike there are few lines. To be flushed before the log is closed. */
export function deduplicatedFaults(log: Logger): ErrorDeduplicator<Entry> {
  return new ErrorDeduplicator(({ event }, leftOut) => write(log, event, leftOut));
}

export function logObserver(log: Logger, faults: ErrorDeduplicator<Entry>): Observer {
  return (event) => {
    switch (event.type) {
      case "failed":
      case "refused":
      case "api-refused":
      case "rejected":
        // A bug was reported already. At debug every refusal is logged.
        if (event.type === "refused" && event.error.code === "internal") return;
        return log.isLevelEnabled("debug") ? write(log, event, 0) : faults.report(entryOf(event));
      case "slow-consumer":
        return log.info(about(event.connection), `cut: the client does not read what it is sent (${event.limit})`);
      default:
        // What a line is made of costs each client that comes and goes a microsecond, whether it is written or not.
        if (log.isLevelEnabled("debug")) writeDetail(log, event);
    }
  };
}

/** Comings, goings and messages. */
function writeDetail(log: Logger, event: HubEvent): void {
  switch (event.type) {
    case "opened":
      return log.debug({ ...about(event.connection), address: event.connection.address }, "connected");
    case "closed":
      return log.debug({ ...about(event.connection), code: event.code, why: event.why?.code }, "disconnected");
    case "subscribed":
    case "unsubscribed":
      return log.debug({ ...about(event.connection), channel: event.channel }, event.type);
    case "gap":
    case "occupied":
    case "vacated":
      return log.debug({ app: event.app.id, channel: event.channel }, event.type);
    case "published": {
      const { channel, event: name, data, from } = event.publication;
      const sender = from && { connection: from.connection };
      return log.debug({ app: event.app.id, ...sender, channel, event: name, ...shown(data) }, "published");
    }
    default:
      return;
  }
}

/** Those that are alike by what was done, in which app, and why it went wrong. */
function entryOf(event: Failed | Refused): Entry {
  switch (event.type) {
    case "failed":
      return { event, error: event.error, during: event.during };
    case "refused":
      return { event, error: event.error, during: `${event.command?.type} in ${event.connection.app.id}` };
    case "api-refused":
      return { event, error: event.error, during: `a call to ${event.app?.id}` };
    case "rejected":
      return { event, error: event.why, during: `a handshake with ${event.app?.id}` };
  }
}

function write(log: Logger, event: Failed | Refused, leftOut: number): void {
  if (event.type === "failed") return writeFault(log, event, leftOut);
  const { app, error, ...who } = refusalOf(event);
  const more = leftOut > 0 ? `, and ${leftOut} times more like this` : "";
  // User data stands behind the channel in what is signed, and is nothing for the log.
  const reason = redactReason(error.message.replace(/\{.*\}/s, "{…}"));
  const fields = {
    ...(app !== undefined && { app }),
    ...who,
    why: error.code,
    reason,
    ...("detail" in error && error.detail !== undefined && { backend: redactReason(error.detail) }),
    ...(leftOut > 0 && { leftOut }),
  };
  const level = event.type === "api-refused" ? "warn" : "info";
  log[level](fields, SAYS[event.type] + more);
}

const SAYS = { refused: "refused", "api-refused": "a call of the HTTP API was refused", rejected: "rejected" };
/** Longest path in a line, in characters. */
const LONGEST_PATH = 200;

function refusalOf(event: Refused) {
  switch (event.type) {
    case "refused": {
      const { connection, error, command } = event;
      return { ...about(connection), ...(command && { command: command.type }), ...channelOf(event), error };
    }
    case "api-refused": {
      const { app, error, status, method, address } = event;
      // The query has a signature in it.
      const path = event.path.replace(/\?.*$/s, "").slice(0, LONGEST_PATH);
      return { app: app?.id, status, method, path, address, error };
    }
    case "rejected":
      return { app: event.app?.id, address: event.address, error: event.why };
  }
}

function channelOf({ command, error }: Extract<Refused, { type: "refused" }>): { readonly channel?: string } {
  const channel = command && "channel" in command ? command.channel : error.about?.channel;
  return channel === undefined ? {} : { channel };
}

function writeFault(log: Logger, { error: err, during, connection }: Failed, leftOut: number): void {
  const more = leftOut > 0 && { leftOut };
  if (err instanceof FileError) {
    // Where the code was when it met the trouble is of no use to anybody; by now it may be over.
    const since = leftOut > 0 ? `; so it was ${leftOut + 1} times since this was last said` : "";
    return log.error({ code: err.code, during, ...more }, `${err.message}${since}`);
  }
  const text = leftOut > 0 ? `something went wrong, and ${leftOut} times more like this` : "something went wrong";
  log.error({ ...(connection && about(connection)), err, during, ...more }, text);
}

/** Each frame, both ways. To be left out where nothing is logged at debug. */
export function logFrames(log: Logger): FrameObserver {
  const line = (way: "received" | "sent", fields: object, frame: Frame) => {
    if (log.isLevelEnabled("debug")) log.debug({ ...fields, ...shownFrame(frame) }, way);
  };
  return {
    received: (connection, frame) => line("received", about(connection), frame),
    sent: (connection, frame) => line("sent", about(connection), frame),
    sentToAll: ({ app, channel, protocol, readers }, frame) =>
      line("sent", { app, channel, protocol: protocol.name, readers }, frame),
  };
}

function shownFrame(frame: Frame): { bytes: number; frame: string } {
  const text = typeof frame === "string" ? frame : new TextDecoder().decode(frame);
  return { bytes: Buffer.byteLength(text), frame: redactFrame(text) };
}

/** Pushed to a program as a value or on its way as text; either way its size is that of the text. */
function shown(data: unknown): { bytes: number; data: string } {
  const text = typeof data === "string" ? data : (JSON.stringify(data) ?? "");
  return { bytes: Buffer.byteLength(text), data: redact(data) };
}

interface Described {
  readonly id: string;
  readonly app: { readonly id: string };
  readonly protocol: { readonly name: string };
  readonly transport?: string;
}

function about({ id, app, protocol, transport = "websocket" }: Described) {
  return { connection: id, app: app.id, protocol: protocol.name, ...(transport !== "websocket" && { transport }) };
}
