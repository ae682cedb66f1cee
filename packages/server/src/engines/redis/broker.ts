/** Carries publications through Redis: what is kept is numbered, written and published in one step of a script. */

import type { EventPublication, Position, Publication, PurgeRange } from "../../domain/message.ts";
import type {
  Broker,
  Clock,
  HistoryPage,
  HistoryPolicy,
  HistoryQuery,
  IdempotencyKey,
  PurgeResult,
  StoredEvent,
} from "../../domain/ports.ts";
import { type ChannelRef, channelKey } from "../shared/channels.ts";
import { erasedEvent } from "../shared/publication-codec.ts";
import { eventBytes, RetentionBudget } from "../shared/retention-budget.ts";
import { decodeHistoryEntry, encode } from "./codec.ts";
import { unavailable } from "./errors.ts";
import type { Keys } from "./keys.ts";
import { HISTORY, PURGE } from "./scripts/history.ts";
import { FORGET, PUBLISH_ONCE, PUBLISH_TO_HISTORY } from "./scripts/publish.ts";
import type { Shard } from "./shard.ts";

/** A channel, and where it is. */
interface Place {
  readonly shard: Shard;
  readonly channel: string;
  readonly subject: string;
}

/** A publication as this node sends it, perhaps several times. */
interface Outgoing extends Place {
  readonly text: string;
  /** Of what this node publishes. */
  readonly number: number;
}

/** What this node has kept where channels share a number of bytes. */
interface RetainedEvent {
  readonly shard: Shard;
  readonly channel: string;
  readonly offset: number;
}

export class RedisBroker implements Broker {
  readonly #clock: Clock;
  readonly #budget = new RetentionBudget<RetainedEvent>();
  readonly #keys: Keys;
  readonly #shardOf: (channel: string) => Shard;
  readonly #publish: string;
  /** Names this node among those that publish; another at each start. */
  readonly #sender = crypto.randomUUID().slice(0, 13);
  #number = 0;

  constructor(clock: Clock, keys: Keys, shardOf: (channel: string) => Shard, publish: string) {
    this.#clock = clock;
    this.#keys = keys;
    this.#shardOf = shardOf;
    this.#publish = publish;
  }

  async subscribe(app: string, channel: string): Promise<void> {
    const { shard, subject } = this.#placeOf({ app, channel });
    try {
      await shard.subscriber.subscribe(subject, app, channel);
    } catch (error) {
      throw unavailable(error);
    }
  }

  unsubscribe(app: string, channel: string): void {
    const { shard, subject } = this.#placeOf({ app, channel });
    shard.subscriber.unsubscribe(subject);
  }

  publish(publication: Publication, keep?: HistoryPolicy): Promise<Position | undefined> {
    const outgoing = this.#outgoing(publication);
    const { shard, subject, text } = outgoing;
    const send =
      keep && publication.type === "event"
        ? () => this.#publishToHistory(outgoing, keep)
        : () => shard.commands.command(this.#publish, [subject, text]);
    const published = shard.queue.publish({ subject, bytes: text.length, send, positionOf: parsePosition });
    if (keep?.totalBytes === undefined) return published;
    return published.then((position) => {
      this.#retain(publication, outgoing, position, keep);
      return position;
    });
  }

  async publishOnce(
    publication: EventPublication,
    key: IdempotencyKey,
    keep?: HistoryPolicy,
  ): Promise<Position | "repeated" | undefined> {
    const outgoing = this.#outgoing(publication);
    const { shard, subject, text } = outgoing;
    let isRepeated = false;
    const send = () => (keep ? this.#publishToHistory(outgoing, keep, key) : this.#publishOnce(outgoing, key, false));
    const positionOf = (answer: unknown) => {
      isRepeated = answer === 0;
      return parsePosition(answer);
    };
    // What is kept is found in history by those that did not receive it.
    const resend = keep ? {} : { resend: () => this.#publishOnce(outgoing, key, true) };
    const position = await shard.queue.publish({ subject, bytes: text.length, send, positionOf, ...resend });
    if (isRepeated) return "repeated";
    this.#retain(publication, outgoing, position, keep);
    return position;
  }

  async expireKey(app: string, channel: string, key: string, ttlMs: number): Promise<void> {
    const { shard } = this.#placeOf({ app, channel });
    await shard.commands.command("PEXPIRE", [this.#keys.published(shard.index, key), wholeMs(ttlMs)]);
  }

  async history(app: string, channel: string, query: HistoryQuery): Promise<HistoryPage> {
    const place = this.#placeOf({ app, channel });
    const isSubscribed = place.shard.subscriber.markPositioned(place.subject);
    const { after, before, fromMs, toMs, withinMs, limit, direction } = query;
    const args = {
      channel: place.channel,
      afterEpoch: epochText(after),
      after: boundText(after?.offset),
      beforeEpoch: epochText(before),
      before: boundText(before?.offset),
      from: boundText(fromMs),
      to: boundText(toMs),
      within: boundText(withinMs),
      limit: String(limit),
      direction,
      isSubscribed: isSubscribed ? "1" : "",
    };
    try {
      return parsePage(app, channel, await place.shard.commands.run(HISTORY, (run) => ({ ...args, run })));
    } catch (error) {
      throw unavailable(error);
    }
  }

  async purge(app: string, channel: string, range: PurgeRange): Promise<PurgeResult> {
    const place = this.#placeOf({ app, channel });
    const position = "position" in range ? range.position : undefined;
    const args = {
      channel: place.channel,
      kind: range.type,
      epoch: epochText(position),
      offset: boundText(position?.offset),
      to: boundText(range.type === "older" ? range.toMs : undefined),
    };
    try {
      const answer = await place.shard.commands.run(PURGE, (run) => ({ ...args, run }));
      const [epoch = "", offset = 0, purged = 0] = Array.isArray(answer) ? answer : [];
      return { purged: Number(purged), position: { epoch: String(epoch), offset: Number(offset) } };
    } catch (error) {
      throw unavailable(error);
    }
  }

  #publishToHistory(
    outgoing: Outgoing,
    { size, ttlMs, totalBytes }: HistoryPolicy,
    key?: IdempotencyKey,
  ): Promise<unknown> {
    const { shard, channel, text, number } = outgoing;
    return shard.commands.run(PUBLISH_TO_HISTORY, (run) => ({
      channel,
      publication: text,
      size: String(size),
      ttl: wholeMs(ttlMs),
      publish: this.#publish,
      subjects: this.#keys.channelSubject(shard.index, ""),
      sender: this.#sender,
      number: String(number),
      run,
      key: key?.key ?? "",
      keyTtl: wholeMs(key?.ttlMs ?? 0),
      isShared: totalBytes === undefined ? "" : "1",
    }));
  }

  /** Counts what this node has kept, and has the oldest forgotten where that is more than the app's channels may keep. */
  #retain(
    publication: Publication,
    place: Place,
    position: Position | undefined,
    keep: HistoryPolicy | undefined,
  ): void {
    if (!position || keep?.totalBytes === undefined || publication.type !== "event") return;
    const { size, ttlMs, totalBytes } = keep;
    const nowMs = this.#clock.monotonicMs();
    const { shard, channel } = place;
    const value = { shard, channel, offset: position.offset };
    const retained = { app: publication.app, channel, bytes: eventBytes(publication), untilMs: nowMs + ttlMs, value };
    for (const evicted of this.#budget.add(retained, { size, totalBytes }, nowMs)) void forget(evicted);
  }

  #publishOnce(outgoing: Outgoing, { key, ttlMs }: IdempotencyKey, onlyAgain: boolean): Promise<unknown> {
    const { shard, subject, text, number } = outgoing;
    return shard.commands.run(PUBLISH_ONCE, {
      key,
      ttl: wholeMs(ttlMs),
      publication: text,
      publish: this.#publish,
      subject,
      publicationId: `${this.#sender} ${number}`,
      onlyAgain: onlyAgain ? "1" : "",
    });
  }

  #outgoing(publication: Publication): Outgoing {
    const number = ++this.#number;
    const text = encode(publication, { sender: this.#sender, number });
    const { shard, channel, subject } = this.#placeOf(publication);
    return { shard, channel, subject, text, number };
  }

  #placeOf(ref: ChannelRef): Place {
    const channel = channelKey(ref);
    const shard = this.#shardOf(channel);
    return { shard, channel, subject: this.#keys.channelSubject(shard.index, channel) };
  }
}

/** Where Redis does not answer, it forgets the event when its time has come. */
async function forget({ shard, channel, offset }: RetainedEvent): Promise<void> {
  await shard.commands.run(FORGET, { channel, offset: String(offset) }).catch(() => undefined);
}

function wholeMs(ms: number): string {
  return String(Math.max(1, Math.ceil(ms)));
}

/** Where a script has put a publication; undefined where that is not known, or it has no position. */
function parsePosition(answer: unknown): Position | undefined {
  const [epoch, offset] = Array.isArray(answer) ? answer : [];
  return offset === undefined || Number(offset) < 0 ? undefined : { epoch: String(epoch), offset: Number(offset) };
}

/** An epoch that no channel can have is still a bound. */
function epochText(position: Position | undefined): string {
  return position?.epoch === "" ? "-" : (position?.epoch ?? "");
}

function boundText(number: number | undefined): string {
  return number === undefined ? "" : String(Math.floor(number));
}

function parsePage(app: string, channel: string, answer: unknown): HistoryPage {
  const [epoch = "", offset = 0, complete = 0, hasMore = 0, entries = [], epochs = ""] = Array.isArray(answer)
    ? answer
    : [];
  const position = { epoch: String(epoch), offset: Number(offset) };
  const events = (Array.isArray(entries) ? entries : []).flatMap(([at, leftMs, text, atMs]): StoredEvent[] => {
    const placed = { epoch: position.epoch, offset: Number(at) };
    const publication =
      text === "" ? erasedEvent(app, channel, placed) : decodeHistoryEntry(app, channel, String(text), placed);
    return publication ? [{ publication: { ...publication, atMs: Number(atMs) }, expiresInMs: Number(leftMs) }] : [];
  });
  return {
    events: events.sort(byOffset),
    position,
    complete: Number(complete) === 1,
    hasMore: Number(hasMore) === 1,
    earlierEpochs: parseEarlierEpochs(String(epochs)),
  };
}

/** Of `epoch offset` in turn, the present one first. */
function parseEarlierEpochs(epochs: string): readonly Position[] {
  const all = [...epochs.matchAll(/(\S+) (\d+)/g)].map(([, epoch, offset]) => ({
    epoch: epoch === "-" ? "" : String(epoch),
    offset: Number(offset),
  }));
  return all.slice(1);
}

function byOffset(a: StoredEvent, b: StoredEvent): number {
  return (a.publication.position?.offset ?? 0) - (b.publication.position?.offset ?? 0);
}
