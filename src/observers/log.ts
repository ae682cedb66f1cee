/** Writes what happens to the log: faults as errors, comings, goings and messages at debug. Never a secret or a token. */

import type { Logger } from "pino";
import { FileError } from "../database/file-error.ts";
import type { HubEvent } from "../domain/event.ts";
import type { Command } from "../domain/message.ts";
import type { Guard, Observer } from "../domain/ports.ts";
import { masked } from "./masked.ts";
import { Repeats } from "./repeats.ts";

type Failed = Extract<HubEvent, { type: "failed" }>;

/** Faults on their way to the log: of thousands alike there are few lines. To be flushed before the log is closed. */
export function faultsFor(log: Logger): Repeats<Failed> {
  return new Repeats((fault, leftOut) => tellFault(log, fault, leftOut));
}

export function logObserver(log: Logger, faults: Repeats<Failed>): Observer {
  return (event) => {
    switch (event.type) {
      case "failed":
        // Whoever looks at every step wants every fault.
        return log.isLevelEnabled("debug") ? tellFault(log, event, 0) : faults.tell(event);
      case "opened":
        return log.debug({ ...about(event.connection), address: event.connection.address }, "connected");
      case "closed":
        return log.debug({ ...about(event.connection), code: event.code, why: event.why?.code }, "disconnected");
      case "fell-behind":
        return log.info(about(event.connection), "cut: the client does not read what it is sent");
      case "turned-away":
        return log.info({ address: event.address, why: event.why.code }, "turned away");
      case "refused":
        return log.debug({ ...about(event.connection), why: event.error.code }, "refused");
      case "subscribed":
      case "unsubscribed":
        return log.debug({ ...about(event.connection), channel: event.channel }, event.type);
      case "gap":
      case "occupied":
      case "vacated":
        return log.debug({ app: event.app.id, channel: event.channel }, event.type);
      case "published": {
        if (!log.isLevelEnabled("debug")) return;
        const { channel, event: name, data, from } = event.publication;
        const sender = from && { connection: from.connection };
        return log.debug({ app: event.app.id, ...sender, channel, event: name, ...shown(data) }, "published");
      }
      case "joined":
      case "left":
      case "counted":
      case "missed":
        return;
    }
  };
}

function tellFault(log: Logger, { error: err, during, connection }: Failed, leftOut: number): void {
  const more = leftOut > 0 && { leftOut };
  if (err instanceof FileError) {
    // Where the code was when it met the trouble is of no use to anybody; by now it may be over.
    const since = leftOut > 0 ? `; so it was ${leftOut + 1} times since this was last said` : "";
    return log.error({ code: err.code, during, ...more }, `${err.message}${since}`);
  }
  const text = leftOut > 0 ? `something went wrong, and ${leftOut} times more like this` : "something went wrong";
  log.error({ ...(connection && about(connection)), err, during, ...more }, text);
}

/** Tells of each command before anybody has a say in it. To be left out where nothing is logged at debug. */
export function logGuard(log: Logger): Guard {
  return {
    command(connection, command) {
      if (log.isLevelEnabled("debug")) log.debug({ ...about(connection), ...told(command) }, "asked");
    },
  };
}

/** Permissions, tokens and what says who somebody is stay out of it altogether. */
function told(command: Command): object {
  switch (command.type) {
    case "subscribe":
    case "unsubscribe":
      return { command: command.type, channel: command.channel };
    case "publish":
      return { command: command.type, channel: command.channel, event: command.event, ...shown(command.data) };
    case "call":
      return { command: command.type, event: command.event, ...shown(command.data) };
    case "signin":
      return { command: command.type, by: command.by.type };
    case "ping":
    case "pong":
      return { command: command.type };
  }
}

/** Pushed to a program as a value or on its way as text; either way its size is that of the text. */
function shown(data: unknown): { bytes: number; data: string } {
  const text = typeof data === "string" ? data : (JSON.stringify(data) ?? "");
  return { bytes: Buffer.byteLength(text), data: masked(data) };
}

function about({ id, app, protocol }: { id: string; app: { id: string }; protocol: { name: string } }) {
  return { connection: id, app: app.id, protocol: protocol.name };
}
