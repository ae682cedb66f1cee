/**
 * Until when an app may have something that is rare, such as bans: one number in the engine. Each node asks once, and hears of
 * what comes later, so that who has none of it pays nothing for it.
 */

import type { App } from "../domain/app.ts";
import type { HubContext } from "./context.ts";

type AppId = Pick<App, "id">;

export class AppFlag {
  readonly #context: HubContext;
  readonly #name: string;
  /** By the app's id: by the wall clock, as far as it was asked. */
  readonly #untilMs = new Map<string, number>();
  #mayBeStale = false;
  #isAsking = false;

  constructor(context: HubContext, name: string) {
    this.#context = context;
    this.#name = name;
  }

  /** Throws CommandError `engine_unavailable`. */
  async raise(app: AppId, untilMs: number): Promise<void> {
    await this.#context.ledger.setMax(this.#nameOf(app), untilMs, untilMs - this.#context.clock.wallMs());
    this.note(app, untilMs);
  }

  /** Another node has raised it: it may have happened after this one asked. */
  note({ id }: AppId, untilMs: number): void {
    this.#untilMs.set(id, Math.max(untilMs, this.#untilMs.get(id) ?? 0));
  }

  /** False where it is known that the app has none; then the engine is not asked. */
  mayBeSet({ id }: AppId): boolean {
    const untilMs = this.#untilMs.get(id);
    return untilMs === undefined || untilMs > this.#context.clock.wallMs();
  }

  /** Throws CommandError `engine_unavailable`. */
  async isSet(app: AppId): Promise<boolean> {
    if (!this.#untilMs.has(app.id)) await this.#ask(app);
    return this.mayBeSet(app);
  }

  /** Another node's word may have been missed. */
  interrupted(): void {
    this.#mayBeStale = true;
  }

  /** Call it every second or two: asks again, as soon as the engine answers. */
  sweep(): void {
    if (this.#mayBeStale && !this.#isAsking) void this.#askAgain();
  }

  async #ask(app: AppId): Promise<void> {
    this.note(app, (await this.#context.ledger.get(this.#nameOf(app))) ?? 0);
  }

  async #askAgain(): Promise<void> {
    this.#isAsking = true;
    this.#mayBeStale = false;
    try {
      for (const id of [...this.#untilMs.keys()]) await this.#ask({ id });
    } catch {
      // The engine is away: the next sweep tries again.
      this.#mayBeStale = true;
    } finally {
      this.#isAsking = false;
    }
  }

  #nameOf({ id }: AppId): string {
    return JSON.stringify([this.#name, id]);
  }
}
