/**
 * A client's frame, from its arrival to its answer. One turn at a time per connection: a quick publish must not overtake
 * the slow subscribe before it. Who asks for more than its share waits while the others have theirs.
 */

import { isReserved } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import { CommandError, Disconnect } from "../domain/error.ts";
import type { Command } from "../domain/message.ts";
import type { Awaitable } from "../domain/ports.ts";
import type { Frame } from "../domain/transport.ts";
import { call } from "./commands/call.ts";
import { history } from "./commands/history.ts";
import { setState } from "./commands/presence.ts";
import { noteRefusal, publish } from "./commands/publish.ts";
import { signIn } from "./commands/signin.ts";
import { subscribe } from "./commands/subscribe.ts";
import { unsubscribe } from "./commands/unsubscribe.ts";
import type { Hub } from "./hub.ts";
import { takeFrameToken } from "./limits.ts";
import { Turns } from "./turns.ts";
import { receiveFirstFrame } from "./welcome.ts";

/** Takes one frame of the client's. Never throws. */
export function receive(hub: Hub, connection: Connection, frame: Frame): void {
  if (!touch(hub, connection)) return;
  hub.traffic?.received(connection.app, frame.length);
  if (hub.taps.size > 0) hub.taps.get(connection)?.received(frame);
  if (hub.frameObserver && !isReserved(connection.app)) hub.frameObserver.received(connection, frame);
  turns.receive(hub, connection, frame, frame.length, connection.lastSeenMs);
}

/** Takes a ping or a pong of the WebSocket itself. */
export function receivePing(hub: Hub, connection: Connection): void {
  if (touch(hub, connection)) turns.receivePing(hub, connection, connection.lastSeenMs);
}

/** Takes a request of a client that has no WebSocket: a sign of life, and no frame. */
export function receiveRequest(hub: Hub, connection: Connection): void {
  if (connection.closed) return;
  hub.touch(connection);
  turns.receivePing(hub, connection, connection.lastSeenMs);
}

/** Takes a sign of life: a frame, a ping or a pong. False where the client is gone, or goes because they are too many. */
function touch(hub: Hub, connection: Connection): boolean {
  if (connection.closed) return false;
  hub.touch(connection);
  const why = takeFrameToken(connection, connection.lastSeenMs);
  if (why) hub.disconnect(connection, why);
  return why === undefined;
}

/** Makes the client's frames wait for this work, and refuses it to the client when it goes wrong. */
export function takeTurn(hub: Hub, connection: Connection, work: Promise<void>): void {
  turns.hold(hub, connection, () => work.catch((error) => refuse(hub, connection, error, undefined)));
}

const turns = new Turns<Hub, Connection>({
  waitingLimits: ({ limits }) => ({ frames: limits.waitingCommands, bytes: limits.waitingBytes }),
  run: execute,
  overflowed(hub, connection, limit) {
    const { waitingCommands, waitingBytes } = hub.limits;
    const most = limit === "frames" ? `${waitingCommands} commands` : `${waitingBytes} bytes of commands`;
    const name = limit === "frames" ? "waitingCommands" : "waitingBytes";
    const message = `More than ${most} were waiting for an answer (limits.${name}).`;
    hub.disconnect(connection, new Disconnect("flooded", message));
  },
  fellBehind(hub, connection, seconds) {
    const message = `The client sent more than its share for ${seconds} seconds.`;
    hub.disconnect(connection, new Disconnect("flooded", message));
  },
});

/** Undefined when the command is answered; else a promise that is fulfilled when it is, and never rejected. */
function execute(hub: Hub, connection: Connection, frame: Frame, nowMs: number): Promise<void> | undefined {
  let command: Command | undefined;
  try {
    if (connection.awaitsAuthentication) return executeFirst(hub, connection, frame);
    command = connection.protocol.decode(frame);
    const around = isReserved(connection.app) ? undefined : hub.middleware?.command;
    const turn = around ? carryOutWithin(around, hub, connection, command) : carryOut(hub, connection, command, nowMs);
    return turn instanceof Promise ? unlessRefused(turn, hub, connection, command, frame) : undefined;
  } catch (error) {
    refuse(hub, connection, error, command, frame);
    return undefined;
  }
}

function carryOutWithin(
  around: NonNullable<NonNullable<Hub["middleware"]>["command"]>,
  hub: Hub,
  connection: Connection,
  command: Command,
): Awaitable<void> {
  return around(connection, command, (replaced) => carryOut(hub, connection, replaced, hub.clock.monotonicMs()));
}

async function unlessRefused(
  turn: Promise<void>,
  hub: Hub,
  connection: Connection,
  command: Command,
  frame: Frame,
): Promise<void> {
  try {
    await turn;
  } catch (error) {
    refuse(hub, connection, error, command, frame);
  }
}

function executeFirst(hub: Hub, connection: Connection, frame: Frame): Promise<void> {
  const pass = (command: Command) => hub.guardChain.command(connection, command);
  return receiveFirstFrame(hub, connection, frame, pass).catch((error) => refuse(hub, connection, error, undefined));
}

function carryOut(hub: Hub, connection: Connection, command: Command, nowMs: number): Awaitable<void> {
  const passed = hub.guardChain.command(connection, command);
  return passed instanceof Promise ? performLater(hub, connection, passed) : perform(hub, connection, passed, nowMs);
}

async function performLater(hub: Hub, connection: Connection, passed: Promise<Command>): Promise<void> {
  const command = await passed;
  return perform(hub, connection, command, hub.clock.monotonicMs());
}

function perform(hub: Hub, connection: Connection, command: Command, nowMs: number): Awaitable<void> {
  switch (command.type) {
    case "subscribe":
      return subscribe(hub, connection, command, nowMs);
    case "unsubscribe":
      return unsubscribe(hub, connection, command);
    case "publish":
      return publish(hub, connection, command, nowMs);
    case "presence":
      return setState(hub, connection, command);
    case "history":
      return history(hub, connection, command);
    case "signin":
      return signIn(hub, connection, command);
    case "call":
      return call(hub, connection, command);
    case "ping":
      return hub.push(connection, { type: "pong", ...(command.ref !== undefined && { ref: command.ref }) });
    case "pong":
      return undefined;
  }
}

/** The one place where what went wrong with a command becomes an answer, a disconnect, or a bug report. */
function refuse(hub: Hub, connection: Connection, error: unknown, command: Command | undefined, frame?: Frame): void {
  if (error instanceof Disconnect) return hub.disconnect(connection, error);
  const known = error instanceof CommandError;
  if (!known) hub.observe({ type: "failed", error, during: `command ${command?.type ?? "decoding"}`, connection });
  const refusal = known ? error : new CommandError("internal", "Something went wrong on the server.");
  noteRefusal(connection, command, refusal);
  const asked = { ...(command && { command }), ...(frame !== undefined && { frame }) };
  hub.observe({ type: "refused", connection, error: refusal, ...asked });
  hub.push(connection, { type: "refused", error: refusal, ...(command && { command }) });
}
