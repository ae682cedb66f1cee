/** What channels keep: read as the engine has it, and forgotten before its time. `history-page.ts` is for those who show it. */

import type { App } from "../domain/app.ts";
import type { Awaitable, HistoryPage, HistoryQuery, PurgeRange, PurgeResult } from "../domain/ports.ts";
import type { HubContext } from "./context.ts";

export class Histories {
  readonly #context: HubContext;

  constructor(context: HubContext) {
    this.#context = context;
  }

  read(app: App, channel: string, query: HistoryQuery): Awaitable<HistoryPage> {
    return this.#context.broker.history(app.id, channel, query);
  }

  async purge(app: App, channel: string, range: PurgeRange): Promise<PurgeResult> {
    const result = await this.#context.broker.purge(app.id, channel, range);
    this.#context.observe({ type: "purged", app, channel, purged: result.purged });
    return result;
  }
}
