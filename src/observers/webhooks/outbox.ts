/**
 * What receivers have yet to be told, in a table: written before anything is sent, and gone when it was taken. Any node may
 * take up what another has left; a claim keeps two from sending the same.
 */

import { createHash } from "node:crypto";
import type { Insertable, Selectable } from "kysely";
import type { Database } from "../../database/open.ts";
import type { OutboxTable } from "../../database/schema.ts";

export interface Letter {
  readonly app: string;
  readonly channel: string;
  readonly target: string;
  /** JSON. */
  readonly event: string;
  /** How long it is held back, in milliseconds. */
  readonly delayMs: number;
  /** What it says, where that may be undone while it is held back. */
  readonly undo?: string;
}

/** A going that somebody's return takes back. */
export interface Return {
  readonly app: string;
  readonly target: string;
  readonly undo: string;
}

/** A letter in the hand of this node. */
export interface Claimed {
  readonly id: number;
  readonly app: string;
  readonly channel: string;
  readonly target: string;
  readonly event: string;
  readonly attempts: number;
  readonly createdAtMs: number;
  readonly lastError?: string;
}

const PAGE = 200;

export class Outbox {
  readonly #db: Database["query"];
  readonly #node: string;
  readonly #claimMs: number;

  /** A claim outlives the longest attempt; a node that died holds nothing for longer. */
  constructor(database: Pick<Database, "query">, node: string, claimMs: number) {
    this.#db = database.query;
    this.#node = node;
    this.#claimMs = claimMs;
  }

  /** Everything that is done with the outbox it is handed happens, or nothing. */
  together<T>(act: (outbox: Outbox) => Promise<T>): Promise<T> {
    return this.#db.transaction().execute((inside) => act(new Outbox({ query: inside }, this.#node, this.#claimMs)));
  }

  async write(letters: readonly Letter[], nowMs: number): Promise<void> {
    for (let from = 0; from < letters.length; from += PAGE) {
      const rows = letters.slice(from, from + PAGE).map((letter) => rowOf(letter, nowMs));
      await this.#db.insertInto("fanfare_outbox").values(rows).execute();
    }
  }

  /** Takes back a going that was not told yet. Whether there was one. */
  async takeBack({ app, target, undo }: Return, nowMs: number): Promise<boolean> {
    const { numDeletedRows } = await this.#db
      .deleteFrom("fanfare_outbox")
      .where("undo", "=", digest(app, target, undo))
      .where("state", "=", "waiting")
      .where("turn_at", ">", nowMs)
      .executeTakeFirst();
    return Number(numDeletedRows) > 0;
  }

  /** Those to whom something is due. */
  async receivers(nowMs: number): Promise<readonly string[]> {
    const rows = await this.#db
      .selectFrom("fanfare_outbox")
      .select("receiver")
      .distinct()
      .where("state", "=", "waiting")
      .where("turn_at", "<=", nowMs)
      .where("due_at", "<=", nowMs)
      .where("claimed_until", "<", nowMs)
      .execute();
    return rows.map(({ receiver }) => receiver);
  }

  /** The first letter of each of the receiver's lanes that is due and in nobody's hand, oldest first. */
  async heads(receiver: string, limit: number, nowMs: number): Promise<readonly Claimed[]> {
    const rows = await this.#db
      .selectFrom("fanfare_outbox as letter")
      .selectAll("letter")
      .where("letter.state", "=", "waiting")
      .where("letter.receiver", "=", receiver)
      .where("letter.turn_at", "<=", nowMs)
      .where("letter.due_at", "<=", nowMs)
      .where("letter.claimed_until", "<", nowMs)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom("fanfare_outbox as earlier")
              .select("earlier.id")
              .where("earlier.state", "=", "waiting")
              .whereRef("earlier.lane", "=", "letter.lane")
              .where(({ or, and, eb, ref }) =>
                or([
                  eb("earlier.turn_at", "<", ref("letter.turn_at")),
                  and([eb("earlier.turn_at", "=", ref("letter.turn_at")), eb("earlier.id", "<", ref("letter.id"))]),
                ]),
              ),
          ),
        ),
      )
      .orderBy("letter.turn_at")
      .orderBy("letter.id")
      .limit(limit)
      .execute();
    return rows.map(claimedOf);
  }

  /** The receiver's letters in order, all lanes together; none where the first is in somebody's hand or not due again. */
  async queue(receiver: string, limit: number, nowMs: number): Promise<readonly Claimed[]> {
    const rows = await this.#db
      .selectFrom("fanfare_outbox")
      .selectAll()
      .where("state", "=", "waiting")
      .where("receiver", "=", receiver)
      .where("turn_at", "<=", nowMs)
      .orderBy("turn_at")
      .orderBy("id")
      .limit(limit)
      .execute();
    const blocked = rows.findIndex((row) => Number(row.due_at) > nowMs || Number(row.claimed_until) >= nowMs);
    return rows.slice(0, blocked < 0 ? rows.length : blocked).map(claimedOf);
  }

  /** Whether all of them are this node's now; none is where another node was faster. */
  async claim(letters: readonly Claimed[], nowMs: number): Promise<boolean> {
    const ids = letters.map(({ id }) => id);
    const { numUpdatedRows } = await this.#db
      .updateTable("fanfare_outbox")
      .set({ claimed_by: this.#node, claimed_until: nowMs + this.#claimMs })
      .where("id", "in", ids)
      .where("state", "=", "waiting")
      .where("claimed_until", "<", nowMs)
      .executeTakeFirst();
    if (Number(numUpdatedRows) === ids.length) return true;
    if (Number(numUpdatedRows) > 0) await this.#release(ids);
    return false;
  }

  /** They were taken. */
  async done(letters: readonly Claimed[]): Promise<void> {
    await this.#db.deleteFrom("fanfare_outbox").where("id", "in", idsOf(letters)).execute();
  }

  /** They were not: again at that time, in their place in the lane. */
  async retry(letters: readonly Claimed[], dueAtMs: number, why: string): Promise<void> {
    await this.#db
      .updateTable("fanfare_outbox")
      .set(({ eb }) => ({ due_at: dueAtMs, claimed_until: 0, last_error: why, attempts: eb("attempts", "+", 1) }))
      .where("id", "in", idsOf(letters))
      .execute();
  }

  /** They never will be, unless somebody sends them again. */
  async fail(letters: readonly Claimed[], why: string): Promise<void> {
    await this.#db
      .updateTable("fanfare_outbox")
      .set(({ eb }) => ({ state: "failed", claimed_until: 0, last_error: why, attempts: eb("attempts", "+", 1) }))
      .where("id", "in", idsOf(letters))
      .execute();
  }

  // ---- for people

  /** The dead letters, newest first. */
  async failed(limit = 100, app?: string): Promise<readonly Claimed[]> {
    let query = this.#db.selectFrom("fanfare_outbox").selectAll().where("state", "=", "failed");
    if (app !== undefined) query = query.where("app", "=", app);
    const rows = await query.orderBy("id", "desc").limit(limit).execute();
    return rows.map(claimedOf);
  }

  /** Sends dead letters again, all or these; how many. They keep their order among themselves. */
  async replay(nowMs: number, ids?: readonly number[]): Promise<number> {
    let query = this.#db
      .updateTable("fanfare_outbox")
      .set({ state: "waiting", attempts: 0, due_at: nowMs, turn_at: nowMs, created_at: nowMs, claimed_until: 0 })
      .where("state", "=", "failed");
    if (ids) query = query.where("id", "in", [...ids]);
    const { numUpdatedRows } = await query.executeTakeFirst();
    return Number(numUpdatedRows);
  }

  /** How many wait and since when the oldest does. */
  async backlog(): Promise<{ readonly waiting: number; readonly failed: number; readonly oldestAtMs?: number }> {
    const rows = await this.#db
      .selectFrom("fanfare_outbox")
      .select(({ fn }) => ["state", fn.countAll().as("count"), fn.min("turn_at").as("oldest")])
      .groupBy("state")
      .execute();
    const of = (state: string) => rows.find((row) => row.state === state);
    const oldest = of("waiting")?.oldest;
    return {
      waiting: Number(of("waiting")?.count ?? 0),
      failed: Number(of("failed")?.count ?? 0),
      ...(oldest !== undefined && oldest !== null && { oldestAtMs: Number(oldest) }),
    };
  }

  async #release(ids: readonly number[]): Promise<void> {
    await this.#db
      .updateTable("fanfare_outbox")
      .set({ claimed_until: 0 })
      .where("id", "in", ids)
      .where("claimed_by", "=", this.#node)
      .execute();
  }
}

function rowOf({ app, channel, target, event, delayMs, undo }: Letter, nowMs: number): Insertable<OutboxTable> {
  const turn = nowMs + delayMs;
  return {
    ...{ app, channel, target, event, created_at: nowMs, turn_at: turn, due_at: turn, attempts: 0 },
    receiver: digest(app, target),
    lane: digest(app, target, channel),
    undo: undo === undefined ? null : digest(app, target, undo),
    state: "waiting",
    claimed_until: 0,
  };
}

function claimedOf(row: Selectable<OutboxTable>): Claimed {
  const { app, channel, target, event, attempts, last_error } = row;
  const known = { app, channel, target, event, attempts, id: Number(row.id), createdAtMs: Number(row.created_at) };
  return last_error === null ? known : { ...known, lastError: last_error };
}

function idsOf(letters: readonly Claimed[]): number[] {
  return letters.map(({ id }) => id);
}

function digest(...words: readonly string[]): string {
  return createHash("sha1").update(JSON.stringify(words)).digest("hex");
}
