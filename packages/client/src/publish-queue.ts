/**
 * Messages on their way to the server: each is published exactly once, because it carries a key that the server remembers, and in the
 * order of its channel.
 */

import type { Connection } from "./connection.ts";
import { after, type Cancel } from "./environment.ts";
import { closedError, FanfareError } from "./errors.ts";
import { bytesOf, FEATURE, type Frame } from "./frames.ts";
import { unsubscriber } from "./listeners.ts";
import type { Settings } from "./options.ts";
import type { Answered } from "./requests.ts";
import type { Subscription } from "./subscription.ts";
import type { Published, PublishOptions, Unsubscribe } from "./types.ts";
import { abortedError } from "./waiting.ts";

interface Message {
  readonly channel: Subscription;
  readonly key: string | undefined;
  /** The command's data as JSON. */
  readonly text: string;
  readonly bytes: number;
  readonly expiresAt: number;
  readonly release: () => void;
  readonly resolve: (published: Published) => void;
  readonly reject: (error: FanfareError) => void;
  ignoreSignal?: Unsubscribe;
  /** Of the connection that there is. */
  isSent: boolean;
  wasSent: boolean;
}

const MOST_UNANSWERED = 8;
const RATE_PAUSE_MS = 1_000;
/** The server may take it the next time. */
const PAUSING = new Set(["rate_limited", "engine_unavailable"]);

export class PublishQueue {
  readonly #settings: Settings;
  readonly #connection: Connection;
  readonly #messages = new Set<Message>();
  #bytes = 0;
  #unanswered = 0;
  /** What the server's rate certainly allows: taken when an answer comes, which is later than the server takes it. */
  #allowance = 0;
  #allowanceAt = 0;
  #cancelPause: Cancel | undefined;
  #cancelExpiry: Cancel | undefined;

  constructor(settings: Settings, connection: Connection) {
    this.#settings = settings;
    this.#connection = connection;
  }

  publish(channel: Subscription, event: string, data: unknown, options: PublishOptions = {}): Promise<Published> {
    return new Promise((resolve, reject) => {
      const { signal, volatile: isVolatile, key = isVolatile ? undefined : randomKey() } = options;
      if (signal?.aborted) return reject(abortedError(signal));
      const { state, error } = this.#connection.store.value;
      // Nothing will connect but the application, perhaps as another user.
      if (state === "failed" || state === "closed") return reject(error ?? closedError());
      const text = textOf({ channel: channel.name, event, data, idempotencyKey: key });
      if (typeof text !== "string") return reject(text);
      if (isVolatile) return this.#sendNow(channel, text, resolve, reject);
      const bytes = bytesOf(text);
      const { messages, bytes: mostBytes, ageMs } = this.#settings.queue;
      if (this.#messages.size >= messages || this.#bytes + bytes > mostBytes) {
        const full = `${this.#messages.size} messages of ${this.#bytes} bytes wait to be published.`;
        return reject(new FanfareError("queue_full", full, { channel: channel.name, retryable: true }));
      }
      const expiresAt = this.#settings.environment.now() + ageMs;
      const message: Message = {
        channel,
        key,
        text,
        bytes,
        expiresAt,
        resolve,
        reject,
        release: channel.hold({}),
        isSent: false,
        wasSent: false,
      };
      const abort = () => this.#settle(message, () => reject(abortedError(signal as AbortSignal)));
      if (signal) message.ignoreSignal = unsubscriber(abort, signal);
      this.#messages.add(message);
      this.#bytes += bytes;
      this.#changed();
      this.pump();
    });
  }

  /** Sends what may be sent. */
  pump(): void {
    if (this.#cancelPause) return;
    const blocked = new Set<Subscription>();
    for (const message of this.#messages) {
      const { channel, isSent } = message;
      if (isSent || blocked.has(channel)) continue;
      if (channel.state !== "attached") blocked.add(channel);
      else if (!this.#mayNow()) return;
      else this.#send(message);
    }
  }

  /** A connection is there. */
  ready(): void {
    const { eventsPerSecond } = this.#connection.welcome?.limits ?? {};
    this.#allowance = eventsPerSecond ?? Number.POSITIVE_INFINITY;
    this.#allowanceAt = this.#settings.environment.now();
  }

  /** What was under way is sent again on the next connection, unless it was too large for this one. */
  lost(tooLarge: boolean): void {
    this.#resume();
    this.#unanswered = 0;
    const sent = [...this.#messages].filter(({ isSent }) => isSent);
    for (const message of sent) message.isSent = false;
    const [largest] = sent.sort((one, other) => other.bytes - one.bytes);
    if (!tooLarge || !largest) return;
    const error = new FanfareError("data_too_large", "A frame of this size ended the connection.", {
      channel: largest.channel.name,
    });
    this.#settle(largest, () => largest.reject(error));
  }

  /** Those of that channel, or all. */
  rejectAll(error: FanfareError, channel?: object): void {
    for (const message of [...this.#messages]) {
      if (channel && message.channel !== channel) continue;
      this.#settle(message, () => message.reject(withFate(error, message)));
    }
  }

  #send(message: Message): void {
    const text = this.#ordered(message);
    message.isSent = true;
    message.wasSent = true;
    this.#unanswered++;
    this.#request(text, (error, frame) => {
      // It was lost with its connection.
      if (!message.isSent) return;
      message.isSent = false;
      this.#answered();
      if (error && PAUSING.has(error.code)) return this.#pause(error.retryAfterMs ?? RATE_PAUSE_MS);
      this.#settle(message, () => (error ? message.reject(error) : message.resolve(publishedOf(frame))));
      this.pump();
    });
  }

  /** If the one before it in its channel, which is unanswered, is refused for the moment, the server refuses this one too. */
  #ordered(message: Message): string {
    const { channel, text } = message;
    if (!this.#connection.has(FEATURE.publishOrder)) return text;
    let before: Message | undefined;
    for (const it of this.#messages) {
      if (it === message) break;
      if (it.isSent && it.channel === channel) before = it;
    }
    return before ? `${text.slice(0, -1)},"afterKey":${JSON.stringify(before.key)}}` : text;
  }

  #sendNow(
    channel: Subscription,
    text: string,
    resolve: (published: Published) => void,
    reject: (error: FanfareError) => void,
  ): void {
    if (channel.state !== "attached") {
      const message = `${channel.name} is not subscribed now.`;
      return reject(new FanfareError("not_connected", message, { channel: channel.name, retryable: true }));
    }
    const release = channel.hold({});
    const answered = this.spend();
    this.#request(text, (error, frame) => {
      release();
      if (error) reject(error);
      else resolve(publishedOf(frame));
      answered();
    });
  }

  #request(text: string, done: Answered): void {
    this.#connection.requestText((id) => `{"event":"publish","id":${id},"data":${text}}`, "published", done);
  }

  /** Something else takes of the same rate. Returns what is to be called when it is answered. */
  spend(): () => void {
    const { welcome } = this.#connection;
    this.#unanswered++;
    return () => {
      if (welcome !== this.#connection.welcome) return;
      this.#answered();
      this.pump();
    };
  }

  #mayNow(): boolean {
    if (this.#unanswered >= MOST_UNANSWERED) return false;
    const left = this.#refilled() - this.#unanswered;
    if (left >= 1) return true;
    const { eventsPerSecond = 1 } = this.#connection.welcome?.limits ?? {};
    // What is unanswered looks again when it is answered.
    if (this.#unanswered === 0) this.#pause(Math.ceil(((1 - left) / eventsPerSecond) * 1000));
    return false;
  }

  #refilled(): number {
    const { eventsPerSecond } = this.#connection.welcome?.limits ?? {};
    if (eventsPerSecond === undefined) return Number.POSITIVE_INFINITY;
    const now = this.#settings.environment.now();
    // A clock that was set back gains nothing.
    const gained = Math.max(0, ((now - this.#allowanceAt) / 1000) * eventsPerSecond);
    this.#allowance = Math.min(eventsPerSecond, this.#allowance + gained);
    this.#allowanceAt = now;
    return this.#allowance;
  }

  #answered(): void {
    this.#unanswered--;
    this.#allowance = this.#refilled() - 1;
  }

  #pause(ms: number): void {
    this.#cancelPause ??= after(this.#settings.environment, ms, () => {
      this.#resume();
      this.pump();
    });
  }

  #resume(): void {
    this.#cancelPause?.();
    this.#cancelPause = undefined;
  }

  #settle(message: Message, how: () => void): void {
    if (!this.#messages.delete(message)) return;
    this.#bytes -= message.bytes;
    if (message.isSent) this.#answered();
    message.isSent = false;
    message.ignoreSignal?.();
    message.release();
    how();
    this.#changed();
  }

  /** One timer, for the oldest. */
  #changed(): void {
    const { environment } = this.#settings;
    this.#connection.update({ queued: this.#messages.size });
    this.#cancelExpiry?.();
    const [oldest] = this.#messages;
    if (!oldest) return this.#resume();
    this.#cancelExpiry = after(environment, oldest.expiresAt - environment.now(), () => {
      const text = `It could not be published within ${this.#settings.queue.ageMs} ms.`;
      const error = new FanfareError("queue_expired", text, { channel: oldest.channel.name, retryable: true });
      this.#settle(oldest, () => oldest.reject(withFate(error, oldest)));
    });
  }
}

/** Whether the server may have published it all the same. */
function withFate(error: FanfareError, { wasSent, channel }: Message): FanfareError {
  if (!wasSent) return error;
  const { code, message, retryable } = error;
  return new FanfareError(code, message, { retryable, channel: channel.name, maybeExecuted: true, cause: error });
}

function publishedOf({ position }: Frame): Published {
  return position ? { position } : {};
}

function textOf(data: object): string | FanfareError {
  try {
    return JSON.stringify(data);
  } catch (cause) {
    return new FanfareError("data_invalid", `The data cannot be written as JSON: ${cause}`, { cause });
  }
}

/** Not `randomUUID`, which only secure contexts have. */
function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
