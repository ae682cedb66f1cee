/** Whether a key opens the dashboard, and which one: in development, where nobody has an account and the program has no gate. */

import type { Logger } from "pino";
import { errorReason } from "../../config/config-error.ts";
import { dashboardKey, generateDashboardKey } from "../../config/dashboard-key.ts";
import type { Config } from "../../config/schema/schema.ts";

export interface DashboardKeyOptions {
  readonly config: () => Config;
  /** Its own gate goes before the key. */
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

  /** Made, or read, when somebody wants to know: a dashboard that nobody opens leaves no file. */
  get value(): string | undefined {
    const { config, program } = this.#options;
    const { mode, dashboard, stateDir } = config();
    const { enabled, users, password, token } = dashboard;
    const hasAccounts = users.length > 0 || password !== undefined || token !== undefined;
    if (!enabled || mode !== "development" || hasAccounts || program.authorizeDashboard) return undefined;
    this.#value ??= this.#kept(stateDir);
    return this.#value;
  }

  #kept(stateDir: string): string {
    try {
      return dashboardKey(stateDir);
    } catch (error) {
      this.#options.log.warn(
        `the dashboard's key cannot be kept, and is another after the next start: ${errorReason(error)}`,
      );
      return generateDashboardKey();
    }
  }
}
