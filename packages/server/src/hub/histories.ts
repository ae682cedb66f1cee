/** What channels keep: read as the engine has it, and forgotten before its time. `history-page.ts` is for those who show it. */

import type { App } from "../domain/app.ts";
import type { PurgeRange } from "../domain/message.ts";
import type { Awaitable, HistoryPage, HistoryQuery, PurgeResult, StoredEvent } from "../domain/ports.ts";
import type { HubContext } from "./context.ts";
import { lastOf } from "./recovery.ts";

export class Histories {
  readonly #context: HubContext;

  constructor(context: HubContext) {
    this.#context = context;
  }

  read(app: App, channel: string, query: HistoryQuery): Awaitable<HistoryPage> {
    return this.#context.broker.history(app.id, channel, query);
  }

  /** The event a cache channel keeps, if it still does. */
  async cachedEvent(app: App, channel: string): Promise<StoredEvent | undefined> {
    const { broker, channels, tenants } = this.#context;
    const known = tenants.knownChannel(app, channel) ?? channels.of(app, channel);
    return (await lastOf(broker, app.id, known)).kept;
  }

  async purge(app: App, channel: string, range: PurgeRange, byOperator = false): Promise<PurgeResult> {
    const result = await this.#context.broker.purge(app.id, channel, range);
    const { purged } = result;
    this.#context.observe({ type: "purged", app, channel, purged, range, ...(byOperator && { byOperator }) });
    return result;
  }
}
