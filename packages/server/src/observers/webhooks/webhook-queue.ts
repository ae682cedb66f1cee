/**
 * What is still to be sent to receivers, in a table: written before anything is sent, and gone when it was taken. Any node may
 * take up what another has left; a claim keeps two from sending the same.
 */

import { createHash } from "node:crypto";
import { type Insertable, type Selectable, sql, type Updateable } from "kysely";
import type { Database } from "../../database/open.ts";
import { DELETE_PAGE as OLD_PAGE } from "../../database/retention.ts";
import type { OutboxTable } from "../../database/schema.ts";
import { transact, yieldToMessages } from "../../database/transact.ts";
import type { ReceiverBacklog, StoredDelivery } from "../../domain/receiver-report.ts";

export interface WebhookMessage {
  readonly app: string;
  readonly channel: string;
  readonly target: string;
  /** JSON. */
  readonly event: string;
  /** How long it is held back, in milliseconds. */
  readonly delayMs: number;
  /** Identifies the arrival that may cancel it while it is held back. */
  readonly cancelKey?: string;
}

/** A departure that an arrival cancels. */
export interface Cancellation {
  readonly app: string;
  readonly target: string;
  readonly cancelKey: string;
}

/** What may be sent now, and how many pages of messages had to be looked through for it. */
export interface DueMessages {
  readonly messages: readonly StoredDelivery[];
  readonly pages: number;
}

/** Messages that are written at a time, and characters of their events. */
const PAGE = 200;
const PAGE_CHARACTERS = 1_000_000;
/** Messages that are looked through at a time: 3 ms in SQLite. */
const LOOKED = 500;
/** Counting takes as long as there is to count: 15 ms for so many in SQLite. */
const MOST_COUNTED = 100_000;

export class WebhookQueue {
  readonly #db: Database["query"];
  readonly #revision: Database["revision"];
  /** The database's when nothing waited in it. */
  #emptyRevision: string | undefined;
  readonly #node: string;
  readonly #claimMs: number;

  /** A claim outlives the longest attempt; a node that died holds nothing for longer. */
  constructor(database: Pick<Database, "query" | "revision">, node: string, claimMs: number) {
    this.#db = database.query;
    this.#revision = database.revision;
    this.#node = node;
    this.#claimMs = claimMs;
  }

  /** Everything that is done with the queue it is handed happens, or nothing. */
  transaction<T>(act: (queue: WebhookQueue) => Promise<T>): Promise<T> {
    const within = (query: Database["query"]) =>
      new WebhookQueue({ query, revision: this.#revision }, this.#node, this.#claimMs);
    return transact(this.#db, (inside) => act(within(inside)));
  }

  async write(messages: readonly WebhookMessage[], nowMs: number): Promise<void> {
    for (const page of pagesOf(messages)) {
      const rows = page.map((message) => rowOf(message, nowMs));
      await this.#db.insertInto("fanfare_outbox").values(rows).execute();
    }
  }

  /** Cancels a departure that was not sent yet, nor is being sent by a node whose clock is ahead. Whether there was one. */
  async cancelDeparture({ app, target, cancelKey }: Cancellation, nowMs: number): Promise<boolean> {
    const { numDeletedRows } = await this.#db
      .deleteFrom("fanfare_outbox")
      .where("undo", "=", digest(app, target, cancelKey))
      .where("state", "=", "waiting")
      .where("turn_at", ">", nowMs)
      .where("attempts", "=", 0)
      .where("claimed_until", "=", 0)
      .executeTakeFirst();
    return Number(numDeletedRows) > 0;
  }

  /** Departures that are held back are due now: no arrival will cancel them any more. */
  async releaseDepartures(nowMs: number): Promise<void> {
    await this.#db
      .updateTable("fanfare_outbox")
      .set({ turn_at: nowMs, due_at: nowMs })
      .where("state", "=", "waiting")
      .where("turn_at", ">", nowMs)
      .where("claimed_until", "=", 0)
      .execute();
  }

  /** Of these, the departures that are held back now. */
  async findHeld(departures: readonly Cancellation[], nowMs: number): Promise<readonly Cancellation[]> {
    if (departures.length === 0) return [];
    const byKey = new Map(departures.map((each) => [digest(each.app, each.target, each.cancelKey), each]));
    const rows = await this.#db
      .selectFrom("fanfare_outbox")
      .select("undo")
      .distinct()
      .where("undo", "in", [...byKey.keys()])
      .where("state", "=", "waiting")
      .where("turn_at", ">", nowMs)
      .execute();
    return rows.flatMap(({ undo }) => byKey.get(undo ?? "") ?? []);
  }

  /** Those for whom something waits whose turn it is. */
  async receivers(nowMs: number): Promise<readonly string[]> {
    const revision = this.#revision();
    if (revision !== undefined && revision === this.#emptyRevision) return [];
    const waiting = await this.#waiting();
    this.#emptyRevision = waiting.length === 0 ? revision : undefined;
    return waiting.flatMap(({ receiver, oldest }) => (oldest <= nowMs ? [receiver] : []));
  }

  /** The receiver's oldest message, in whose hand it may be. */
  async first(receiver: string): Promise<StoredDelivery | undefined> {
    const row = await this.#of(receiver).selectAll().orderBy("turn_at").orderBy("id").limit(1).executeTakeFirst();
    return row && deliveryOf(row);
  }

  /**
   * The first message of each of the receiver's lanes that is due and in nobody's hand, oldest first. However many stand
   * behind one that is not due, no single question takes long: they are looked through by the page.
   */
  async dueMessages(receiver: string, limit: number, nowMs: number): Promise<DueMessages> {
    const lanes = new Set<string>();
    const ids: number[] = [];
    let pages = 0;
    let after = { turn: Number.NEGATIVE_INFINITY, id: 0 };
    while (ids.length < limit) {
      const rows = await this.#page(receiver, nowMs, after);
      pages++;
      for (const row of rows) {
        if (lanes.has(row.lane)) continue;
        lanes.add(row.lane);
        if (Number(row.due_at) <= nowMs && Number(row.claimed_until) < nowMs) ids.push(Number(row.id));
      }
      const last = rows.at(-1);
      if (!last || rows.length < LOOKED) break;
      after = { turn: Number(last.turn_at), id: Number(last.id) };
      await yieldToMessages();
    }
    return { messages: await this.#messages(ids.slice(0, limit)), pages };
  }

  /** The receiver's messages in order, all lanes together; none where the first is in somebody's hand or not due again. */
  async messagesInOrder(receiver: string, limit: number, nowMs: number): Promise<readonly StoredDelivery[]> {
    const due = this.#of(receiver).selectAll().where("turn_at", "<=", nowMs);
    const rows = await due.orderBy("turn_at").orderBy("id").limit(limit).execute();
    const blocked = rows.findIndex((row) => Number(row.due_at) > nowMs || Number(row.claimed_until) >= nowMs);
    return rows.slice(0, blocked < 0 ? rows.length : blocked).map(deliveryOf);
  }

  /** Whether all of them are this node's now; none is where another node was faster. */
  async claim(messages: readonly StoredDelivery[], nowMs: number): Promise<boolean> {
    const ids = messages.map(({ id }) => id);
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
  async done(messages: readonly StoredDelivery[]): Promise<void> {
    await this.#db.deleteFrom("fanfare_outbox").where("id", "in", idsOf(messages)).execute();
  }

  /** They were not: again at that time, in their place in the lane. */
  retry(messages: readonly StoredDelivery[], dueAtMs: number, why: string): Promise<void> {
    return this.#notTaken(messages, { due_at: dueAtMs, last_error: why });
  }

  /** They never will be, unless somebody sends them again. */
  fail(messages: readonly StoredDelivery[], why: string, nowMs: number): Promise<void> {
    return this.#notTaken(messages, { state: "failed", due_at: nowMs, last_error: why });
  }

  /** Forgets messages that died before that time, and yields after each page how many of it there were. */
  async *forget(beforeMs: number): AsyncGenerator<number> {
    let after = 0;
    while (true) {
      const page = await this.#db
        .selectFrom("fanfare_outbox")
        .select(["id", "due_at"])
        .where("state", "=", "failed")
        .where("id", ">", after)
        .orderBy("id")
        .limit(OLD_PAGE)
        .execute();
      const old = page.filter(({ due_at }) => Number(due_at) < beforeMs).map(({ id }) => Number(id));
      yield old.length > 0 ? await this.#forgetThese(old, beforeMs) : 0;
      const last = page.at(-1);
      if (!last || page.length < OLD_PAGE) return;
      after = Number(last.id);
    }
  }

  // ---- for people

  /** The dead messages, newest first. */
  async failed(limit = 100, app?: string): Promise<readonly StoredDelivery[]> {
    let query = this.#db.selectFrom("fanfare_outbox").selectAll().where("state", "=", "failed");
    if (app !== undefined) query = query.where("app", "=", app);
    const rows = await query.orderBy("id", "desc").limit(limit).execute();
    return rows.map(deliveryOf);
  }

  /** Sends dead messages again, all or these, of the app or of all; how many. They keep their order among themselves. */
  async replay(nowMs: number, ids?: readonly number[], app?: string): Promise<number> {
    let query = this.#db
      .updateTable("fanfare_outbox")
      .set({ state: "waiting", attempts: 0, due_at: nowMs, turn_at: nowMs, created_at: nowMs, claimed_until: 0 })
      .where("state", "=", "failed");
    if (ids) query = query.where("id", "in", [...ids]);
    if (app !== undefined) query = query.where("app", "=", app);
    const { numUpdatedRows } = await query.executeTakeFirst();
    return Number(numUpdatedRows);
  }

  /** How many wait, and are dead, up to `MOST_COUNTED` of each; and since when the oldest waits. */
  async backlog(): Promise<{ readonly waiting: number; readonly failed: number; readonly oldestAtMs?: number }> {
    const waiting = await this.#count("waiting");
    const failed = await this.#count("failed");
    const oldest = (await this.#waiting()).map((one) => one.oldest);
    return { waiting, failed, ...(oldest.length > 0 && { oldestAtMs: Math.min(...oldest) }) };
  }

  /** How many of each receiver are "waiting" and "failed"; at most `MOST_COUNTED` of each are looked at. */
  async backlogs(): Promise<readonly ReceiverBacklog[]> {
    return [...(await this.#backlogOf("waiting")), ...(await this.#backlogOf("failed"))];
  }

  // ---- private

  async #notTaken(messages: readonly StoredDelivery[], now: Updateable<OutboxTable>): Promise<void> {
    await this.#db
      .updateTable("fanfare_outbox")
      .set(({ eb }) => ({ ...now, claimed_until: 0, attempts: eb("attempts", "+", 1) }))
      .where("id", "in", idsOf(messages))
      // Another node's by now, where this one was frozen meanwhile.
      .where("claimed_by", "=", this.#node)
      .execute();
  }

  /** Unless somebody sent them again meanwhile. */
  async #forgetThese(ids: readonly number[], beforeMs: number): Promise<number> {
    const { numDeletedRows } = await this.#db
      .deleteFrom("fanfare_outbox")
      .where("id", "in", [...ids])
      .where("state", "=", "failed")
      .where("due_at", "<", beforeMs)
      .executeTakeFirst();
    return Number(numDeletedRows);
  }

  async #backlogOf(state: string): Promise<readonly ReceiverBacklog[]> {
    const all = this.#db.selectFrom("fanfare_outbox");
    const some = all.select(["id", "receiver"]).where("state", "=", state).limit(MOST_COUNTED);
    const counts = this.#db
      .selectFrom(some.as("some"))
      .select(({ fn }) => [fn.countAll().as("count"), fn.min("id").as("first")])
      .groupBy("receiver");
    const rows = await all
      .innerJoin(counts.as("counts"), "counts.first", "fanfare_outbox.id")
      .select(["app", "target", "counts.count"])
      .execute();
    return rows.map(({ count, ...row }) => ({ ...row, state, count: Number(count) }));
  }

  async #count(state: string): Promise<number> {
    const some = this.#db.selectFrom("fanfare_outbox").select("id").where("state", "=", state).limit(MOST_COUNTED);
    const { count } = await this.#db
      .selectFrom(some.as("some"))
      .select(({ fn }) => fn.countAll().as("count"))
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** Jumps from receiver to receiver in the index, however many messages each has. */
  async #waiting(): Promise<readonly { readonly receiver: string; readonly oldest: number }[]> {
    const { rows } = await sql<{ receiver: string; oldest: number | string }>`
      with recursive jump as (
        select min(receiver) as receiver from fanfare_outbox where state = 'waiting'
        union all
        select (select min(receiver) from fanfare_outbox where state = 'waiting' and receiver > jump.receiver)
        from jump where jump.receiver is not null
      )
      select receiver, (
        select min(turn_at) from fanfare_outbox where state = 'waiting' and fanfare_outbox.receiver = jump.receiver
      ) as oldest
      from jump where receiver is not null`.execute(this.#db);
    return rows.map(({ receiver, oldest }) => ({ receiver, oldest: Number(oldest) }));
  }

  #of(receiver: string) {
    return this.#db.selectFrom("fanfare_outbox").where("state", "=", "waiting").where("receiver", "=", receiver);
  }

  #page(receiver: string, nowMs: number, { turn, id }: { readonly turn: number; readonly id: number }) {
    let page = this.#of(receiver)
      .select(["id", "lane", "turn_at", "due_at", "claimed_until"])
      .where("turn_at", "<=", nowMs);
    // The first condition is what an index can be entered with.
    if (id > 0)
      page = page.where("turn_at", ">=", turn).where(({ or, eb }) => or([eb("turn_at", ">", turn), eb("id", ">", id)]));
    return page.orderBy("turn_at").orderBy("id").limit(LOOKED).execute();
  }

  async #messages(ids: readonly number[]): Promise<readonly StoredDelivery[]> {
    if (ids.length === 0) return [];
    const rows = await this.#db.selectFrom("fanfare_outbox").selectAll().where("id", "in", ids).execute();
    return rows.map(deliveryOf).sort((one, other) => ids.indexOf(one.id) - ids.indexOf(other.id));
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

function rowOf(
  { app, channel, target, event, delayMs, cancelKey }: WebhookMessage,
  nowMs: number,
): Insertable<OutboxTable> {
  const turn = nowMs + delayMs;
  return {
    ...{ app, channel, target, event, created_at: nowMs, turn_at: turn, due_at: turn, attempts: 0 },
    receiver: digest(app, target),
    lane: digest(app, target, channel),
    undo: cancelKey === undefined ? null : digest(app, target, cancelKey),
    state: "waiting",
    claimed_until: 0,
  };
}

/** MySQL takes no question of more than 16 MB. */
function pagesOf(messages: readonly WebhookMessage[]): readonly (readonly WebhookMessage[])[] {
  const pages: WebhookMessage[][] = [];
  let room = 0;
  for (const message of messages) {
    const last = pages.at(-1);
    room -= message.event.length;
    if (last && last.length < PAGE && room > 0) last.push(message);
    else {
      pages.push([message]);
      room = PAGE_CHARACTERS - message.event.length;
    }
  }
  return pages;
}

function deliveryOf(row: Selectable<OutboxTable>): StoredDelivery {
  const { app, channel, target, event, attempts, last_error } = row;
  const known = { app, channel, target, event, attempts, id: Number(row.id), createdAtMs: Number(row.created_at) };
  return last_error === null ? known : { ...known, lastError: last_error };
}

function idsOf(messages: readonly StoredDelivery[]): number[] {
  return messages.map(({ id }) => id);
}

function digest(...words: readonly string[]): string {
  return createHash("sha1").update(JSON.stringify(words)).digest("hex");
}
