/** Publishes rows: those of a channel one after the other, several channels at a time. Says of each what is to become of it. */

import { createHash } from "node:crypto";
import type { App } from "../domain/app.ts";
import { userChannel } from "../domain/channel.ts";
import { COMMAND_ERRORS, CommandError } from "../domain/error.ts";
import type { EventPublication } from "../domain/message.ts";
import type { Awaitable, Broker, Clock } from "../domain/ports.ts";
import { messageOf } from "../domain/thrown.ts";
import type { Hub } from "../hub/hub.ts";
import { nameOf } from "../hub/idempotency-keys.ts";
import { checkChannelName, checkEventData, checkEventName, checkUserId } from "../hub/limits.ts";
import type { OutboxRow } from "./source.ts";

export interface RowPublisherOptions {
  readonly hub: Pick<Hub, "publish" | "observe">;
  readonly broker: Pick<Broker, "expireKey">;
  readonly clock: Clock;
  readonly appById: (id: string) => Awaitable<App | undefined>;
  /** By its name. */
  readonly source: string;
  /** The app of all rows; without it each names its own. */
  readonly app: string | undefined;
}

export interface Outcome {
  /** The engine has them. */
  readonly published: readonly PublishedRow[];
  readonly refused: readonly { readonly row: OutboxRow; readonly error: string }[];
  /** Something has to be tried again. */
  readonly isHeldUp: boolean;
}

export interface PublishedRow {
  readonly row: OutboxRow;
  readonly ref: Pick<EventPublication, "app" | "channel">;
  readonly key: string;
}

/** Channels at a time. */
const LANES = 32;
/**
 * Rows are published for so long after they were read. A reader that was frozen reads them anew: another may have published
 * them meanwhile, and their keys may be forgotten.
 */
const FRESH_MS = 10_000;
/** How long a key outlives its row: longer than a row may be in a reader's hands. */
const FORGET_AFTER_MS = 60_000;
/** How long a key is remembered while its row is not deleted: a database may be away for that long. */
const REMEMBER_MS = 3_600_000;
/** How long a row that fails for another reason than its own is tried again before it is set aside. */
const TRIED_FOR_MS = 60_000;
/** Rows whose failures are remembered. */
const MOST_FAILING = 1_000;

export class RowPublisher {
  readonly #options: RowPublisherOptions;
  /** Rows that fail for a reason that may pass, and since when. */
  readonly #failing = new Map<string, number>();

  constructor(options: RowPublisherOptions) {
    this.#options = options;
  }

  /** `readAtMs`: when the rows were read. Ends early once `isWanted` says so. */
  async publish(rows: readonly OutboxRow[], readAtMs: number, isWanted: () => boolean): Promise<Outcome> {
    const { clock } = this.#options;
    const lanes = lanesOf(rows).values();
    const published: PublishedRow[] = [];
    const refused: { row: OutboxRow; error: string }[] = [];
    let isHeldUp = false;
    const mayGoOn = () => isWanted() && clock.monotonicMs() - readAtMs < FRESH_MS;
    const work = async () => {
      for (const lane of lanes) {
        for (const row of lane) {
          const done = mayGoOn() ? await this.#publish(row, mayGoOn) : "later";
          if (done === "later") {
            isHeldUp = true;
            break;
          }
          if ("error" in done) refused.push({ row, error: done.error });
          else published.push(done);
        }
      }
    };
    await Promise.all(Array.from({ length: LANES }, work));
    return { published, refused, isHeldUp };
  }

  /** They are deleted: nobody will publish them again but a reader that was frozen with them in its hands. */
  forget(published: readonly PublishedRow[]): void {
    const { broker } = this.#options;
    for (const { ref, key } of published) {
      const expired = broker.expireKey?.(ref.app, ref.channel, nameOf(ref, key), FORGET_AFTER_MS);
      // What is not forgotten now is forgotten when its time is over.
      Promise.resolve(expired).catch(() => {});
    }
  }

  async #publish(row: OutboxRow, mayGoOn: () => boolean): Promise<PublishedRow | { error: string } | "later"> {
    const { hub, broker } = this.#options;
    try {
      const app = await this.#appOf(row);
      const publication = publicationOf(row, app);
      const key = this.#keyOf(row);
      if (!mayGoOn()) return "later";
      // Where keys cannot be forgotten before their time, they take room for all of it.
      await hub.publish(app, publication, key, { ttlMs: broker.expireKey ? REMEMBER_MS : undefined });
      this.#failing.delete(row.identity);
      return { row, ref: { app: app.id, channel: publication.channel }, key };
    } catch (error) {
      return this.#judge(row, error);
    }
  }

  /** Whether the row is to blame, which nothing will change. */
  #judge(row: OutboxRow, error: unknown): { error: string } | "later" {
    const message = messageOf(error);
    if (error instanceof RowError) return { error: message };
    if (error instanceof CommandError) {
      if (error.code === "engine_unavailable") return "later";
      const blame = COMMAND_ERRORS[error.code];
      if (blame !== "rate" && blame !== "unavailable" && blame !== "bug") return { error: `${error.code}: ${message}` };
    } else this.#options.hub.observe({ type: "failed", error, during: "publishing a row of an outbox" });
    const nowMs = this.#options.clock.monotonicMs();
    const sinceMs = this.#failing.get(row.identity) ?? nowMs;
    if (nowMs - sinceMs < TRIED_FOR_MS) {
      if (this.#failing.size < MOST_FAILING) this.#failing.set(row.identity, sinceMs);
      return "later";
    }
    this.#failing.delete(row.identity);
    return { error: message };
  }

  async #appOf(row: OutboxRow): Promise<App> {
    const id = this.#options.app ?? row.app;
    if (id === null) throw new RowError("the row names no app, and its source has none (outbox[].app)");
    const app = await this.#options.appById(id);
    if (!app) throw new RowError(`there is no app ${JSON.stringify(id)}`);
    if (!app.enabled) throw new RowError(`the app ${JSON.stringify(id)} is disabled`);
    return app;
  }

  /** The number alone is given again where a table is emptied, and what then bears it would be taken for a repetition. */
  #keyOf({ identity, channel, userId, event, data }: OutboxRow): string {
    const all = JSON.stringify([this.#options.source, identity, channel, userId, event, data]);
    return createHash("sha256").update(all).digest("base64url");
  }
}

/** The row can never be published, or not as things are. */
class RowError extends Error {}

function publicationOf(
  { channel, userId, event, data, bytes, exceptConnection }: OutboxRow,
  app: App,
): EventPublication {
  if (userId !== null) checkUserId(app, userId);
  else if (channel === null) throw new RowError("the row names neither a channel nor a user");
  else checkChannelName(app, channel);
  checkEventName(app, event);
  const most = app.limits.eventDataBytes;
  if (data === null)
    throw new RowError(`data_too_large: the data has ${bytes} bytes; at most ${most} (eventDataBytes)`);
  checkEventData(app, data);
  return {
    type: "event",
    app: app.id,
    channel: userId === null ? (channel ?? "") : userChannel(userId),
    event,
    data,
    ...(exceptConnection !== null && { except: [exceptConnection] }),
  };
}

/** In the order of their first rows. */
function lanesOf(rows: readonly OutboxRow[]): (readonly OutboxRow[])[] {
  return [...Map.groupBy(rows, ({ app, channel, userId }) => JSON.stringify([app, channel, userId])).values()];
}
