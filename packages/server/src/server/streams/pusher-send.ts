/** `xhr_send`: what a client of Pusher's HTTP transports says, several frames at a time. */

import type { Connection } from "../../domain/connection.ts";
import { errorResponse, errorResponseFor, HttpError } from "../../http/error-response.ts";
import { receive, receivePing } from "../../hub/execute.ts";
import type { Hub } from "../../hub/hub.ts";
import type { HandshakeOptions } from "../websocket/listen-options.ts";
import { readFrames, tooLarge } from "./commands.ts";
import type { Session } from "./sessions.ts";

/** Bodies are read side by side, and handled in the order in which the requests came. */
export async function receiveSend(
  { config, hub }: HandshakeOptions,
  connection: Connection,
  session: Session,
  request: Request,
  cors: Readonly<Record<string, string>>,
): Promise<Response> {
  const { frameBytes } = config.limits;
  const before = session.sending;
  const reading = readFrames(request, frameBytes).then((body) => framesIn(body, frameBytes));
  const { promise: handled, resolve } = Promise.withResolvers<void>();
  session.sending = before.then(() => handled);
  try {
    const frames = await reading;
    await before;
    await session.socket.resumed;
    if (frames.length === 0) answerPing(hub, connection, session);
    for (const frame of frames) receive(hub, connection, frame);
  } catch (error) {
    return errorResponseFor(error, cors);
  } finally {
    resolve();
  }
  const why = connection.disconnectReason;
  if (why?.code === "flooded") return errorResponse(429, why.code, why.message, cors);
  return new Response(null, { status: 204, headers: cors });
}

/** pusher-js asks like that whether the server is there, and hangs up where nothing comes back by the other request. */
function answerPing(hub: Hub, connection: Connection, { socket }: Session): void {
  receivePing(hub, connection);
  socket.giveSignOfLife();
}

/** Throws HttpError. */
function framesIn(body: Uint8Array, frameBytes: number): readonly string[] {
  const frames = parse(body);
  if (!Array.isArray(frames) || !frames.every((frame) => typeof frame === "string")) {
    throw new HttpError(400, "malformed", "The body is not a JSON array of strings.");
  }
  for (const frame of frames) if (Buffer.byteLength(frame) > frameBytes) throw tooLarge(frameBytes);
  return frames;
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}
