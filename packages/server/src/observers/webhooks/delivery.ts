/** Takes messages from the queue to their receivers: each receiver for itself, each lane in order, and again until it is taken. */

import type { App, HookSettings, Webhook } from "../../domain/app.ts";
import { backoffMs } from "../../domain/backoff.ts";
import type { AppStore, Clock } from "../../domain/ports.ts";
import type { StoredDelivery } from "../../domain/receiver-report.ts";
import type { TraceStep } from "../../domain/trace-step.ts";
import { post, type Reach } from "../../http/post.ts";
import { signedHeaders } from "../../hub/signature.ts";
import { DISCONNECT_TARGET } from "./notification.ts";
import type { Attempt } from "./receiver-reports.ts";
import type { WebhookQueue } from "./webhook-queue.ts";

export interface DeliveryOptions {
  readonly queue: WebhookQueue;
  readonly apps: AppStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly timeoutMs: number;
  /** How long it is tried before a message is dead. */
  readonly retryForMs: number;
  readonly reach: Reach | undefined;
  /** The same for the hook `disconnect`, whose address is among the app's hooks. */
  readonly hookReach: (hooks: HookSettings) => Reach;
  readonly version: string;
  /** A request begins; undefined where nothing is traced. */
  readonly trace?: (app: string, url: string, events: number, attempt: number) => TraceStep;
  readonly failed: (error: unknown, during: string) => void;
  /** A receiver was asked. */
  readonly attempted: (attempt: Attempt) => void;
  /** A message is dead, or was taken. */
  readonly onOutcome: (app: string, outcome: "sent" | "retried" | "dead", count: number) => void;
}

const POLL_MS = 1_000;
/** How many requests one receiver has at a time: one a lane. */
const AT_ONCE = 8;
const BATCH = 100;
const RETRY_BACKOFF = { minMs: 1_000, maxMs: 60_000 };
/** How much longer than looking through a long queue in vain the rest is that follows. */
const REST = 20;
const LONGEST_REST_MS = 60_000;
/** As long as a cluster may take until its last node knows of a new webhook. */
const UNKNOWN_MS = 300_000;

export class Delivery {
  readonly #options: DeliveryOptions;
  /** The receivers that this node is busy with. */
  readonly #busy = new Map<string, Promise<void>>();
  /** Those whose long queue was looked through in vain just now. */
  readonly #resting = new Map<string, ReturnType<typeof setTimeout>>();
  #polling: ReturnType<typeof setInterval> | undefined;
  #looking: Promise<void> | undefined;
  #again = false;
  #isAway = false;
  #closed = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  start(): void {
    this.#polling = setInterval(() => this.wake(), POLL_MS);
    this.#polling.unref?.();
    this.wake();
  }

  /** There may be something to do. Never throws. */
  wake(): void {
    if (this.#closed) return;
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.wake();
    });
  }

  /** Sends what can be sent at once, to every receiver, for so long at most. Never throws. */
  async flush(withinMs: number): Promise<void> {
    for (const timer of this.#resting.values()) clearTimeout(timer);
    this.#resting.clear();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, withinMs);
    await Promise.race([this.#flush(), late.promise]);
    clearTimeout(timer);
  }

  /** Twice: who was served already may have looked before the last messages were there. */
  async #flush(): Promise<void> {
    for (let time = 0; time < 2; time++) {
      await this.#looking;
      await this.#look();
      await Promise.all(this.#busy.values());
    }
  }

  /** Waits for what is under way; what is not yet sent stays in the queue. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#polling);
    for (const timer of this.#resting.values()) clearTimeout(timer);
    await this.#looking;
    await Promise.all(this.#busy.values());
  }

  async #look(): Promise<void> {
    try {
      for (const receiver of await this.#options.queue.receivers(this.#now)) this.#serve(receiver);
      this.#isAway = false;
    } catch (error) {
      this.#report(error);
    }
  }

  #serve(receiver: string): void {
    if (this.#busy.has(receiver) || this.#resting.has(receiver) || this.#closed) return;
    const work = this.#work(receiver)
      .catch((error) => this.#report(error))
      .finally(() => {
        this.#busy.delete(receiver);
      });
    this.#busy.set(receiver, work);
  }

  /** Goes on as long as something of the receiver's can be sent. */
  async #work(receiver: string): Promise<void> {
    const { queue } = this.#options;
    while (!this.#closed) {
      const first = await queue.first(receiver);
      if (!first) return;
      const target = await this.#targetOf(first);
      if (!(await (target ? this.#serveDue(receiver, target) : this.#failUnknown(receiver)))) return;
    }
  }

  /** Sends what can be sent at once. Whether anything went: if not, whoever looks after the pause will see what is due. */
  async #serveDue(receiver: string, target: Target): Promise<boolean> {
    const { queue, clock } = this.#options;
    if (target.hook.batch) return this.#deliver(await queue.messagesInOrder(receiver, BATCH, this.#now), target);
    const began = clock.monotonicMs();
    const { messages, pages } = await queue.dueMessages(receiver, AT_ONCE, this.#now);
    if (messages.length === 0 && pages > 1) this.#rest(receiver, (clock.monotonicMs() - began) * REST);
    const taken = await Promise.all(messages.map((message) => this.#deliver([message], target)));
    return taken.includes(true);
  }

  /** Another node may know whose they are, or this one before long; after a while, nobody will. */
  async #failUnknown(receiver: string): Promise<boolean> {
    const { queue, retryForMs, onOutcome } = this.#options;
    const before = this.#now - Math.min(retryForMs, UNKNOWN_MS);
    const messages = (await queue.messagesInOrder(receiver, BATCH, this.#now)).filter(
      (one) => one.createdAtMs <= before,
    );
    const [first] = messages;
    if (!first || !(await queue.claim(messages, this.#now))) return false;
    await queue.fail(messages, "The app has no webhook with this address any more.", this.#now);
    onOutcome(first.app, "dead", messages.length);
    return true;
  }

  /** A long queue of which nothing is due is not looked through all the time. */
  #rest(receiver: string, forMs: number): void {
    const timer = setTimeout(
      () => {
        this.#resting.delete(receiver);
        this.wake();
      },
      Math.min(LONGEST_REST_MS, forMs),
    );
    timer.unref?.();
    this.#resting.set(receiver, timer);
  }

  /** Sends these messages as one request. Whether the queue is shorter now. */
  async #deliver(messages: readonly StoredDelivery[], target: Target): Promise<boolean> {
    const { queue, onOutcome } = this.#options;
    const [first] = messages;
    if (!first || !(await queue.claim(messages, this.#now))) return false;
    try {
      await this.#send(first, messages, target);
    } catch (error) {
      return this.#reschedule(first, messages, error instanceof Error ? error.message : "The request failed.");
    }
    await queue.done(messages);
    onOutcome(first.app, "sent", messages.length);
    return true;
  }

  async #send(first: StoredDelivery, messages: readonly StoredDelivery[], { app, hook, reach }: Target): Promise<void> {
    const { timeoutMs, version, trace, clock, attempted } = this.#options;
    const events = messages.map(({ event }) => event).join(",");
    // Put together as text, so that what is signed is what the fact was written down as. A hook's is a body already.
    const isHook = first.target === DISCONNECT_TARGET;
    const body = isHook ? events : `{"time_ms":${first.createdAtMs},"events":[${events}]}`;
    const step = trace?.(app.id, hook.url, messages.length, first.attempts + 1);
    const headers = {
      ...hook.headers,
      ...(step && step.parent !== "" && { traceparent: step.parent }),
      ...signedHeaders(app, body, version),
    };
    const sinceMs = clock.monotonicMs();
    const report = (answer: Pick<Attempt, "isTaken" | "status">) =>
      attempted({ app: app.id, target: first.target, tookMs: clock.monotonicMs() - sinceMs, ...answer });
    let answered: Pick<Attempt, "status"> = {};
    try {
      const { status } = await post({ url: hook.url, headers, body, timeoutMs, reach });
      answered = { status };
      if (status < 200 || status >= 300) throw new Error(`The receiver answered ${status}.`);
      step?.end();
      report({ isTaken: true, status });
    } catch (error) {
      step?.end(error);
      report({ isTaken: false, ...answered });
      throw error;
    }
  }

  /** Whether some are dead, and so no longer in the way of others. */
  async #reschedule(first: StoredDelivery, messages: readonly StoredDelivery[], why: string): Promise<boolean> {
    const { queue, retryForMs, onOutcome, random } = this.#options;
    const dueAt = this.#now + backoffMs(first.attempts, RETRY_BACKOFF) * (0.75 + random() / 2);
    const isOver = ({ createdAtMs }: StoredDelivery) => dueAt > createdAtMs + retryForMs;
    const dead = messages.filter(isOver);
    const alive = messages.filter((message) => !isOver(message));
    if (alive.length > 0) await queue.retry(alive, Math.ceil(dueAt), why);
    if (dead.length > 0) await queue.fail(dead, why, this.#now);
    if (alive.length > 0) onOutcome(first.app, "retried", alive.length);
    if (dead.length > 0) onOutcome(first.app, "dead", dead.length);
    return dead.length > 0;
  }

  async #targetOf({ app: id, target }: StoredDelivery): Promise<Target | undefined> {
    const { apps, reach, hookReach } = this.#options;
    const app = await apps.byId(id);
    if (target !== DISCONNECT_TARGET) {
      const hook = app?.webhooks?.find(({ url }) => url === target);
      return app && hook && { app, hook, reach };
    }
    const hooks = app?.hooks;
    const url = hooks?.disconnect && (hooks.disconnect.url ?? hooks.url);
    if (!app || !hooks || url === undefined) return undefined;
    return { app, hook: { url, ...(hooks.headers && { headers: hooks.headers }) }, reach: hookReach(hooks) };
  }

  get #now(): number {
    return this.#options.clock.wallMs();
  }

  /** A database that is away is onOutcome of once. */
  #report(error: unknown): void {
    if (!this.#isAway) this.#options.failed(error, "delivering webhooks");
    this.#isAway = true;
  }
}

interface Target {
  readonly app: App;
  readonly hook: Webhook;
  readonly reach: Reach | undefined;
}
