/** One channel, listened to by Fanfare's own client: across reconnects, and recovering what was missed where there is a history. */

import {
  type ChannelEvent,
  type Client,
  type ConnectionSnapshot,
  createClient,
  type FanfareError,
  type Member,
  type Transport,
  webSocket,
} from "@fanfare/client";
import { memberText } from "../domain/json-text.ts";
import { CliError } from "./errors.ts";
import { unreachableSocket } from "./http.ts";

/** One event as it arrived. */
export interface Arrived {
  readonly event: string;
  readonly channel: string;
  /** Its JSON as it came, or the text that it is. */
  readonly data: string;
  readonly userId?: string;
}

export interface Listening {
  /** ws: or wss:, with the path prefix. */
  readonly url: string;
  readonly key: string;
  /** Asked before each connection. Without it the server has to let anonymous clients in. */
  readonly token: (() => Promise<string>) | undefined;
  readonly channel: string;
  readonly onEvent: (arrived: Arrived) => void;
  /** Something to know that is no event. */
  readonly onNote: (note: string) => void;
  readonly signal: AbortSignal;
}

/** Resolves when the signal says so; throws CliError when there is no use in going on. */
export async function listen(listening: Listening): Promise<void> {
  const { url, key, token, signal } = listening;
  const { promise: gaveUp, reject: giveUp } = Promise.withResolvers<never>();
  let lastFrame = "";
  const client = createClient({
    url: `${url}/`,
    app: key,
    ...(token && { token }),
    transports: [tapped(webSocket, (text) => (lastFrame = text))],
    log: ({ message, reason }) => {
      if (message === "the server reports an error") listening.onNote(`the server says: ${reason}`);
    },
  });
  followConnection(client, listening, giveUp);
  followChannel(client, listening, giveUp, () => lastFrame);
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (signal.aborted) resolve();
  try {
    await Promise.race([aborted, gaveUp]);
  } finally {
    client.close();
  }
}

function followConnection(client: Client, { url, token, onNote }: Listening, giveUp: (error: unknown) => void): void {
  let last: ConnectionSnapshot = client.snapshot;
  let wasConnected = false;
  client.subscribe(() => {
    const before = last;
    last = client.snapshot;
    const { state, retryAt, error } = last;
    if (state === "connected") wasConnected = true;
    if (state === "failed" && error) giveUp(new CliError(whyClosed(error, token !== undefined)));
    if (retryAt === undefined || retryAt === before.retryAt || !error) return;
    if (!wasConnected && error.code === "connection_lost") return void unreachableSocket(url).then(giveUp);
    const inS = ((retryAt - Date.now()) / 1000).toFixed(1);
    const what = wasConnected ? "connection lost" : "no connection";
    onNote(`${what} (${error.code}: ${error.message}), trying again in ${inS} s`);
  });
}

function whyClosed({ code, message }: FanfareError, hasToken: boolean): string {
  const hint =
    code === "unauthorized" && !hasToken ? "; give the app's secret with --secret, or a token with --token" : "";
  return `the server closed the connection: ${message} (${code})${hint}`;
}

function followChannel(
  client: Client,
  { channel: name, onEvent, onNote }: Listening,
  giveUp: (error: unknown) => void,
  lastFrame: () => string,
): void {
  const channel = client.channel(name);
  let wasAttached = false;
  channel.subscribe(() => {
    const { state, error } = channel.snapshot;
    if (state === "refused") giveUp(new CliError(`the server refused ${name}: ${error?.message}`));
    if (state === "attached" && !wasAttached) onNote(`listening on ${name}`);
    wasAttached = state === "attached";
  });
  const memberEvent = (event: string) => (member: Member) =>
    onEvent({ event, channel: name, data: JSON.stringify(member) });
  channel.onJoin(memberEvent("member_added"));
  channel.onLeave(memberEvent("member_removed"));
  channel.onGap(({ reason }) => onNote(`something may have been missed (${reason})`));
  channel.onAny((event) => onEvent(arrivedFrom(event, name, lastFrame())));
}

/** Events are heard while their frame is: its text has the data as it was written. */
function arrivedFrom({ event, data, meta }: ChannelEvent, channel: string, frame: string): Arrived {
  const written = memberText(frame, "data") ?? JSON.stringify(data);
  const arrived = { event: event || "message", channel, data: typeof data === "string" ? data : written };
  return meta.user === undefined ? arrived : { ...arrived, userId: meta.user };
}

function tapped(transport: Transport, onFrame: (text: string) => void): Transport {
  return {
    ...transport,
    open: (request) =>
      transport.open({
        ...request,
        onFrame(text) {
          onFrame(text);
          request.onFrame(text);
        },
      }),
  };
}
