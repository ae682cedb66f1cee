/** The apps that the program looks up, in a database of its own for example: its answers are cached for a while. */

import { type AppInput, ConfigError, parseApp } from "../config/load.ts";
import type { AppDefaults } from "../config/schema/schema.ts";
import type { App } from "../domain/app.ts";
import type { AppStore, Awaitable, Clock } from "../domain/ports.ts";

/** Looks up apps that are not in the configuration. */
export interface AppProvider {
  /** By the key that clients name. Undefined where there is no such app. Where it throws, the answer from before counts. */
  byKey(key: string): Awaitable<AppInput | undefined>;
  /** By the id that the HTTP API names. */
  byId(id: string): Awaitable<AppInput | undefined>;
  /** How long an answer counts, in seconds. 10 by default; `server.appChanged(id)` ends it earlier. */
  readonly cacheS?: number;
}

interface ProvidedAppsOptions {
  readonly provider: AppProvider;
  readonly clock: Clock;
  /** The provider's answer is another than before: the app as it is now, undefined where it is gone. */
  readonly changed: (id: string, app: App | undefined) => void;
  readonly failed: (error: unknown, during: string) => void;
}

interface Answer {
  readonly app: App | undefined;
  readonly untilMs: number;
}

type LookUp = "byKey" | "byId";

const DEFAULT_CACHE_S = 10;
/** Names that no app has are cached as well, and a client may name anything. */
const MAX_ANSWERS = 10_000;

export class ProvidedApps implements AppStore {
  /** What holds where the program leaves something open. */
  defaults: AppDefaults | undefined;
  readonly #options: ProvidedAppsOptions;
  readonly #cacheMs: number;
  readonly #answers = { byKey: new Map<string, Answer>(), byId: new Map<string, Answer>() };
  /** Questions that are under way. */
  readonly #asking = {
    byKey: new Map<string, Promise<App | undefined>>(),
    byId: new Map<string, Promise<App | undefined>>(),
  };

  constructor(options: ProvidedAppsOptions) {
    this.#options = options;
    this.#cacheMs = (options.provider.cacheS ?? DEFAULT_CACHE_S) * 1000;
  }

  byKey(key: string): Awaitable<App | undefined> {
    return key === "" ? undefined : this.#find("byKey", key);
  }

  byId(id: string): Awaitable<App | undefined> {
    return this.#find("byId", id);
  }

  /** Every app that an answer named and that is cached. */
  get all(): readonly App[] {
    return [...this.#answers.byId.values()].flatMap(({ app }) => app ?? []);
  }

  /** By the latest answer, however old. */
  known(id: string): App | undefined {
    return this.#answers.byId.get(id)?.app;
  }

  /** Whether no answer about the id is cached, not even that there is no such app. */
  isForgotten(id: string): boolean {
    return !this.#answers.byId.has(id);
  }

  /** Asks again, whatever is cached. */
  async refresh(id: string): Promise<void> {
    // A question that is under way may have been answered before the change.
    await this.#asking.byId.get(id)?.catch(() => {});
    await this.#ask("byId", id);
  }

  #find(lookUp: LookUp, name: string): Awaitable<App | undefined> {
    const answer = this.#answers[lookUp].get(name);
    return answer && answer.untilMs > this.#nowMs ? answer.app : this.#ask(lookUp, name);
  }

  #ask(lookUp: LookUp, name: string): Promise<App | undefined> {
    const asking = this.#asking[lookUp];
    let question = asking.get(name);
    if (!question) {
      question = this.#answer(lookUp, name).finally(() => asking.delete(name));
      asking.set(name, question);
    }
    return question;
  }

  /** Neither a database that is away nor a mistake in its row keeps out clients of an app that was known before. */
  async #answer(lookUp: LookUp, name: string): Promise<App | undefined> {
    const before = this.#answers[lookUp].get(name)?.app;
    try {
      const input = await this.#options.provider[lookUp](name);
      if (input !== undefined) return this.#store(parseApp(input, this.defaults));
      this.#add(lookUp, name, undefined);
      if (before && lookUp === "byId") this.#removed(before);
      return undefined;
    } catch (error) {
      this.#options.failed(error, `looking up the app ${JSON.stringify(name.slice(0, 64))}`);
      if (!before && !(error instanceof ConfigError)) throw error;
      this.#add(lookUp, name, before);
      return before;
    }
  }

  /** What is the same stays the very same object, so that what is remembered of it is. */
  #store(parsed: App): App {
    const before = this.known(parsed.id);
    const app = before && Bun.deepEquals(before, parsed) ? before : parsed;
    if (before && before.key !== app.key) this.#answers.byKey.delete(before.key);
    this.#add("byKey", app.key, app);
    this.#add("byId", app.id, app);
    if (before && before !== app) this.#options.changed(app.id, app);
    return app;
  }

  #removed({ id, key }: App): void {
    this.#answers.byKey.delete(key);
    this.#options.changed(id, undefined);
  }

  #add(lookUp: LookUp, name: string, app: App | undefined): void {
    const answers = this.#answers[lookUp];
    answers.delete(name);
    answers.set(name, { app, untilMs: this.#nowMs + this.#cacheMs });
    const [oldest] = answers.size > MAX_ANSWERS ? answers.keys() : [];
    if (oldest !== undefined) answers.delete(oldest);
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}
