/** Asks an app's back end: signed as webhooks are, each question once, so many at a time, and none while it is down. */

import { randomUUID } from "node:crypto";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { App, HookSettings } from "../domain/app.ts";
import { hookBody } from "../domain/hook-body.ts";
import type { Clock } from "../domain/ports.ts";
import type { TraceStep } from "../domain/trace-step.ts";
import { NoAnswer, post, type Reach } from "../http/post.ts";
import { signedHeaders } from "../hub/signature.ts";
import { ANSWER_BYTES, type Answer, type Question, Refusal, readAnswer } from "./answers.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";

/** What became of a question: the back end let it pass or refused it, failed, or was not asked since it is down or busy. */
export type HookOutcome = "allowed" | "refused" | "failed" | "unasked";

/** What a reload may change. */
export interface HookClientSettings {
  readonly reach: (hooks: HookSettings) => Reach;
  readonly concurrency: number;
  readonly waiting: number;
}

export interface HookClientOptions {
  readonly settings: HookClientSettings;
  readonly clock: Clock;
  readonly random: () => number;
  readonly version: string;
  readonly answered: (app: App, hook: Question, outcome: HookOutcome, seconds: number) => void;
  /** The back end is not asked any more, and why; or it is again. */
  readonly turned: (app: App, hook: Question, isDown: boolean, why: string) => void;
  /** A request begins; it gets what is to go along as `traceparent`. */
  readonly trace?: (app: string, hook: string, url: string) => TraceStep;
}

interface Asked<Q extends Question> {
  readonly app: App;
  readonly hook: Q;
  /** The JSON text of an object's members. */
  readonly body: string;
  /** Headers of the client's handshake. */
  readonly forwarded: Readonly<Record<string, string>>;
}

/** The back end cannot be asked now. */
export class BackendDown extends Error {
  override readonly name = "BackendDown";
}

/** Idle connections are kept for a while, so that a busy back end is not dialled for each question. */
const KEEP_ALIVE = { keepAlive: true, maxFreeSockets: 64, timeout: 4_000 };
/** Of more apps than that, the one that was first asked longest ago begins anew. */
const MOST_APPS = 1_000;

/** What is remembered of an app's back end. */
interface AppState {
  readonly slots: RequestSlots;
  readonly breakers: Map<Question, CircuitBreaker>;
}

export class HookClient {
  settings: HookClientSettings;
  readonly #options: HookClientOptions;
  readonly #apps = new Map<string, AppState>();
  readonly #agents = { "http:": new HttpAgent(KEEP_ALIVE), "https:": new HttpsAgent(KEEP_ALIVE) };

  constructor(options: HookClientOptions) {
    this.#options = options;
    this.settings = options.settings;
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  /** Throws BackendDown where there is no answer, Refusal where it is no, and Error where the back end cannot do with the question. */
  async ask<Q extends Question>(asked: Asked<Q>): Promise<Answer<Q>> {
    const { app, hook } = asked;
    const { clock, answered } = this.#options;
    const { slots, breakers } = this.#stateOf(app);
    const breaker = breakers.get(hook) ?? new CircuitBreaker(clock, this.#options.random);
    breakers.set(hook, breaker);
    const pass = breaker.enter();
    const sinceMs = clock.monotonicMs();
    const turned = (isDown: boolean, why = "") => this.#options.turned(app, hook, isDown, why);
    const done = (outcome: HookOutcome) => answered(app, hook, outcome, (clock.monotonicMs() - sinceMs) / 1000);
    if (!pass) {
      done("unasked");
      throw new BackendDown(`the hook ${hook} is not asked: it failed too often, and is tried again every few seconds`);
    }
    try {
      const answer = await this.#exchange(asked, slots);
      if (breaker.answered(pass)) turned(false);
      done("allowed");
      return answer;
    } catch (error) {
      if (error instanceof NoAnswer) {
        const detail = error.message.startsWith("the hook") ? error.message : `the hook ${hook}: ${error.message}`;
        if (breaker.failed(pass)) turned(true, detail);
        done("failed");
        throw new BackendDown(detail);
      }
      if (error instanceof BackendDown) {
        breaker.cancelled(pass);
        done("unasked");
      } else {
        if (breaker.answered(pass)) turned(false);
        done(error instanceof Refusal ? "refused" : "failed");
      }
      throw error;
    }
  }

  async #exchange<Q extends Question>(asked: Asked<Q>, slots: RequestSlots): Promise<Answer<Q>> {
    const { app, hook } = asked;
    const { clock } = this.#options;
    const { concurrency, waiting } = this.settings;
    const timeoutMs = (app.hooks?.timeoutS ?? 0) * 1000;
    const sinceMs = clock.monotonicMs();
    if (!(await slots.acquire(concurrency, waiting, timeoutMs))) {
      throw new BackendDown(
        `the hook ${hook} is not asked: ${concurrency} requests to the back end are under way already`,
      );
    }
    try {
      const leftMs = timeoutMs - (clock.monotonicMs() - sinceMs);
      if (leftMs < 1) throw new BackendDown(`the hook ${hook} is not asked: its time was over before its turn came`);
      return await this.#post(asked, leftMs);
    } finally {
      slots.release();
    }
  }

  async #post<Q extends Question>({ app, hook, body, forwarded }: Asked<Q>, timeoutMs: number): Promise<Answer<Q>> {
    const { version, trace, clock } = this.#options;
    const { hooks } = app;
    const url = hooks && addressOf(hooks, hook);
    if (!hooks || url === undefined) throw new Error(`The app ${app.id} has no address for the hook ${hook}.`);
    const agent = url.startsWith("https:") ? this.#agents["https:"] : this.#agents["http:"];
    const step = trace?.(app.id, hook, url);
    const id = randomUUID();
    const text = hookBody(app, hook, id, clock.wallMs(), body);
    const headers = {
      ...forwarded,
      ...hooks.headers,
      ...(step && step.parent !== "" && { traceparent: step.parent }),
      ...signedHeaders(app, text, version),
      "Idempotency-Key": id,
    };
    try {
      const answer = await post({
        ...{ url, headers, body: text, timeoutMs, agent },
        reach: this.settings.reach(hooks),
        answerBytes: ANSWER_BYTES,
      });
      step?.end();
      return readAnswer(hook, answer);
    } catch (error) {
      step?.end(error);
      throw error;
    }
  }

  #stateOf({ id }: App): AppState {
    const known = this.#apps.get(id);
    if (known) return known;
    const made: AppState = { slots: new RequestSlots(), breakers: new Map() };
    this.#apps.set(id, made);
    if (this.#apps.size > MOST_APPS) {
      const [idle] = [...this.#apps].find(([name, { slots }]) => name !== id && slots.isIdle) ?? [];
      if (idle !== undefined) this.#apps.delete(idle);
    }
    return made;
  }
}

function addressOf(hooks: HookSettings, hook: Question): string | undefined {
  return (hook === "ping" ? undefined : hooks[hook]?.url) ?? hooks.url;
}

/** So many requests at a time; of the others, so many wait for their turn, and no longer than they may. */
class RequestSlots {
  #taken = 0;
  /** In the order in which they came. */
  readonly #waiting = new Set<() => void>();

  get isIdle(): boolean {
    return this.#taken === 0;
  }

  /** Whether the caller has a place, which it has to give back. */
  async acquire(most: number, mostWaiting: number, withinMs: number): Promise<boolean> {
    if (this.#taken < most) {
      this.#taken++;
      return true;
    }
    if (this.#waiting.size >= mostWaiting) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const take = () => resolve(true);
    this.#waiting.add(take);
    const timer = setTimeout(() => {
      this.#waiting.delete(take);
      resolve(false);
    }, withinMs);
    const hasPlace = await promise;
    clearTimeout(timer);
    return hasPlace;
  }

  /** The place goes to the one that has waited longest. */
  release(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#taken--;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
