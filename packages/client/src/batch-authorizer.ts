/** Permission for channels from the application's back end: what is asked for at the same time is one call. */

import { type Environment, realEnvironment } from "./environment.ts";
import { FanfareError } from "./errors.ts";
import type { Authorization, Authorize, Awaitable, Denied } from "./types.ts";
import { sleep, within } from "./waiting.ts";

type Answer = Readonly<Record<string, Authorization | Denied>>;

/** Answers for each channel whether the client may subscribe to it. What it throws is tried again, unless it is a FanfareError that says no. */
export type AuthorizeMany = (
  channels: readonly string[],
  connectionId: string,
  signal: AbortSignal,
) => Awaitable<Answer>;

interface Batch {
  readonly signal: AbortSignal;
  readonly channels: Set<string>;
  readonly answer: Promise<Answer>;
}

const GATHERED_MS = 10;
const MOST_CHANNELS = 100;
const TIMEOUT_MS = 10_000;
/** Pauses before another try. */
const RETRY_MS = [1_000, 2_000];

/**
 * Asks for up to 100 channels in one call: `authorize: batchAuthorizer("/realtime/auth")`, the address of a back end's route (its shape:
 * docs/publisher.md), or a function. Network errors, 429 and 5xx are tried three times.
 */
export function batchAuthorizer(ask: string | AuthorizeMany): Authorize {
  return batchAuthorizerIn(realEnvironment, ask);
}

/** For tests: with a clock of their own. */
export function batchAuthorizerIn(environment: Environment, ask: string | AuthorizeMany): Authorize {
  const askMany: AuthorizeMany = typeof ask === "string" ? (...wanted) => askBackEnd(ask, ...wanted) : ask;
  let batch: Batch | undefined;
  const open = (connectionId: string, signal: AbortSignal): Batch => {
    const channels = new Set<string>();
    const gathered = sleep(environment, GATHERED_MS, signal).then(() => {
      if (batch === opened) batch = undefined;
      return tryOften(environment, signal, () => askMany([...channels], connectionId, signal));
    });
    const opened = { signal, channels, answer: gathered };
    return opened;
  };
  return async (channel, connectionId, signal) => {
    if (batch?.signal !== signal || batch.channels.size >= MOST_CHANNELS) batch = open(connectionId, signal);
    batch.channels.add(channel);
    const answer = await batch.answer;
    const found = Object.hasOwn(answer, channel) ? answer[channel] : undefined;
    if (found && "auth" in found) return found;
    const { code = "authorization_failed", message = `There is no permission for ${channel}.` } = found?.error ?? {};
    throw new FanfareError(code, message, { channel });
  };
}

async function tryOften(environment: Environment, signal: AbortSignal, ask: () => Awaitable<Answer>): Promise<Answer> {
  for (let tries = 0; ; tries++) {
    try {
      return await within(environment, TIMEOUT_MS, "Asking for permission", signal, ask);
    } catch (error) {
      const pauseMs = RETRY_MS[tries];
      if (pauseMs === undefined || signal.aborted || (error instanceof FanfareError && !error.retryable)) throw error;
      await sleep(environment, pauseMs, signal);
    }
  }
}

/** `POST {"connectionId","channels"}`, answered by `{"channels":{NAME: permission | {"error":{"code","message"}}}}`. */
async function askBackEnd(
  url: string,
  channels: readonly string[],
  connectionId: string,
  signal: AbortSignal,
): Promise<Answer> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    credentials: "same-origin",
    body: JSON.stringify({ connectionId, channels }),
    signal,
  });
  const { status } = response;
  if (!response.ok)
    throw new FanfareError("authorization_failed", `POST ${url} was answered with ${status}.`, {
      retryable: status === 429 || status >= 500,
    });
  const { channels: answer } = await response.json();
  if (typeof answer === "object" && answer !== null) return answer;
  throw new FanfareError("authorization_failed", `POST ${url} was answered without "channels".`);
}
