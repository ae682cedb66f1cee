/** The key that opens the dashboard in development, where there are no accounts and the program has no check of its own. */

import type { Logger } from "pino";
import { errorReason } from "../../config/config-error.ts";
import type { Config } from "../../config/schema/schema.ts";
import { dashboardKey, generateDashboardKey } from "../../config/state-file.ts";

export interface DashboardKeyOptions {
  readonly config: () => Config;
  /** Its own check goes before the key. */
  readonly program: { readonly authorizeDashboard: unknown };
  readonly log: Logger;
}

export class DashboardKey {
  readonly #options: DashboardKeyOptions;
  #value: string | undefined;

  constructor(options: DashboardKeyOptions) {
    this.#options = options;
  }

  /** A worker takes the one that the first process has. */
  take(value: string | undefined): void {
    this.#value = value ?? this.#value;
  }

  /** Made, or read, when it is first needed: a dashboard that is never opened leaves no file. */
  get value(): string | undefined {
    const { config, program } = this.#options;
    const { mode, dashboard, stateDir } = config();
    const { enabled, users, password, token } = dashboard;
    const hasAccounts = users.length > 0 || password !== undefined || token !== undefined;
    if (!enabled || mode !== "development" || hasAccounts || program.authorizeDashboard) return undefined;
    this.#value ??= this.#readOrCreate(stateDir);
    return this.#value;
  }

  #readOrCreate(stateDir: string): string {
    try {
      return dashboardKey(stateDir);
    } catch (error) {
      this.#options.log.warn(
        `the dashboard's key cannot be stored, and changes with the next start: ${errorReason(error)}`,
      );
      return generateDashboardKey();
    }
  }
}
