/** Permission for channels from the application's back end: what is asked for at the same time is one call. */

import { after, type Cancel } from "./environment.ts";
import { FanfareError } from "./errors.ts";
import type { Settings } from "./options.ts";
import type { Authorization, Authorize, Denied } from "./types.ts";
import { sleep, within } from "./waiting.ts";

interface Asked {
  readonly channel: string;
  resolve(permission: Authorization): void;
  reject(error: FanfareError): void;
}

type Answer = Readonly<Record<string, Authorization | Denied>>;

const GATHERED_MS = 10;
const MOST_CHANNELS = 100;
/** Pauses before another try. */
const RETRY_MS = [1_000, 2_000];

export class Authorizer {
  readonly #settings: Settings;
  readonly #authorize: Authorize;
  #asked: Asked[] = [];
  #cancel: Cancel | undefined;
  #abort = new AbortController();
  #connectionId = "";

  constructor(settings: Settings, authorize: string | Authorize) {
    this.#settings = settings;
    this.#authorize = typeof authorize === "string" ? (...args) => askBackEnd(authorize, ...args) : authorize;
  }

  /** For that connection; permissions are bound to it. */
  ask(channel: string, connectionId: string): Promise<Authorization> {
    this.#connectionId = connectionId;
    return new Promise((resolve, reject) => {
      this.#asked.push({ channel, resolve, reject });
      if (this.#asked.length >= MOST_CHANNELS) this.#send();
      else this.#cancel ??= after(this.#settings.environment, GATHERED_MS, () => this.#send());
    });
  }

  /** The connection is gone: what is asked for it is of no use any more. */
  reset(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#asked = [];
    this.#abort.abort();
    this.#abort = new AbortController();
  }

  #send(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const asked = this.#asked;
    this.#asked = [];
    const names = asked.map(({ channel }) => channel);
    this.#settings.log("debug", "asking for permission", { channels: names.length });
    this.#tryOften(names, this.#connectionId, this.#abort.signal).then(
      (answer) => {
        for (const one of asked) settle(one, Object.hasOwn(answer, one.channel) ? answer[one.channel] : undefined);
      },
      (error) => {
        for (const one of asked) one.reject(failed(one.channel, error));
      },
    );
  }

  async #tryOften(names: readonly string[], connectionId: string, signal: AbortSignal): Promise<Answer> {
    const { environment, timeouts } = this.#settings;
    const ask = () => this.#authorize(names, connectionId, signal);
    for (const pauseMs of RETRY_MS) {
      try {
        return await within(environment, timeouts.connectMs, "Asking for permission", signal, ask);
      } catch (error) {
        if (signal.aborted || !isRetryable(error)) throw error;
        await sleep(environment, pauseMs, signal);
      }
    }
    return await within(environment, timeouts.connectMs, "Asking for permission", signal, ask);
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

function settle({ channel, resolve, reject }: Asked, answer: Authorization | Denied | undefined): void {
  if (answer && "auth" in answer) return resolve(answer);
  const { code = "authorization_failed", message = `There is no permission for ${channel}.` } = answer?.error ?? {};
  reject(new FanfareError(code, message, { channel }));
}

function failed(channel: string, cause: unknown): FanfareError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `Permission for ${channel} could not be asked for: ${reason}`;
  return new FanfareError("authorization_failed", message, { channel, cause, retryable: isRetryable(cause) });
}

/** What was thrown by `fetch` or the application may be over the next time. */
function isRetryable(error: unknown): boolean {
  return !(error instanceof FanfareError) || error.retryable;
}
