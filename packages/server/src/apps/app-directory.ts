/** Every app of a server: those of its configuration and database, and those that the program looks up in a place of its own. */

import type { Config } from "../config/schema/schema.ts";
import { type App, isReserved } from "../domain/app.ts";
import type { AppStore, Awaitable } from "../domain/ports.ts";
import type { ProvidedApps } from "./provided-apps.ts";

type Configured = Pick<Config, "apps" | "defaults">;

export class AppDirectory implements AppStore {
  readonly #provided: ProvidedApps | undefined;
  #byKey: ReadonlyMap<string, App> = new Map();
  #byId: ReadonlyMap<string, App> = new Map();

  constructor(config: Configured, provided?: ProvidedApps) {
    this.#provided = provided;
    this.configure(config);
  }

  /** These are configured from now on. */
  configure({ apps, defaults }: Configured): void {
    this.#byKey = new Map(apps.map((app) => [app.key, app]));
    this.#byId = new Map(apps.map((app) => [app.id, app]));
    if (this.#provided) this.#provided.defaults = defaults;
  }

  /** Every app that is known without asking the program. */
  get known(): readonly App[] {
    const provided = this.#provided?.all ?? [];
    return [...this.#byId.values(), ...provided.filter(({ id }) => !this.#byId.has(id))];
  }

  byKey(key: string): Awaitable<App | undefined> {
    return this.#byKey.get(key) ?? this.#provided?.byKey(key);
  }

  byId(id: string): Awaitable<App | undefined> {
    return this.#byId.get(id) ?? this.#provided?.byId(id);
  }

  /** The app as far as it is known without asking the program. */
  knownById(id: string): App | undefined {
    return this.#byId.get(id) ?? this.#provided?.known(id);
  }

  /** What has become of the app: it may have changed, or be gone. One that the program was not asked about lately is taken to be there. */
  current(app: App): App | undefined {
    if (isReserved(app)) return app;
    return this.knownById(app.id) ?? (this.#provided?.isForgotten(app.id) ? app : undefined);
  }

  /** Whether there is a configured app with the key. */
  hasKey(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** Asks the program about the app again. */
  async changed(id: string): Promise<void> {
    await this.#provided?.refresh(id);
  }
}
