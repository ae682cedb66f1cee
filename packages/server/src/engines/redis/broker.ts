/** Carries publications through Redis: what is kept is numbered, written down and published in one step of a script. */

import type { EventPublication, Position, Publication } from "../../domain/message.ts";
import type { Broker, HistoryPage, HistoryPolicy, IdempotencyKey, StoredEvent } from "../../domain/ports.ts";
import { decodeHistoryEntry, encode } from "./codec.ts";
import { unavailable } from "./errors.ts";
import { HISTORY, PUBLISH_ONCE, PUBLISH_TO_HISTORY } from "./history-scripts.ts";
import { channelKey, type Keys } from "./keys.ts";
import type { PendingPublish } from "./publish-queue.ts";
import type { Shard } from "./shard.ts";

interface Sent {
  readonly subject: string;
  readonly text: string;
  /** Of what this node publishes. */
  readonly number: number;
}

export class RedisBroker implements Broker {
  readonly #keys: Keys;
  readonly #bucket: (place: string) => Shard;
  readonly #publishCommand: string;
  /** Names this node among those that publish; another at each start. */
  readonly #sender = crypto.randomUUID().slice(0, 13);
  #number = 0;

  constructor(keys: Keys, bucket: (place: string) => Shard, publishCommand: string) {
    this.#keys = keys;
    this.#bucket = bucket;
    this.#publishCommand = publishCommand;
  }

  async subscribe(app: string, channel: string): Promise<void> {
    const { bucket, subject } = this.#way(app, channel);
    try {
      await bucket.subscriber.subscribe(subject, app, channel);
    } catch (error) {
      throw unavailable(error);
    }
  }

  unsubscribe(app: string, channel: string): void {
    const { bucket, subject } = this.#way(app, channel);
    bucket.subscriber.unsubscribe(subject);
  }

  publish(publication: Publication, keep?: HistoryPolicy): Promise<Position | undefined> {
    const { bucket, place, subject } = this.#way(publication.app, publication.channel);
    const number = ++this.#number;
    const text = encode(publication, { sender: this.#sender, number });
    const send: PendingPublish["send"] =
      keep && publication.type === "event"
        ? async () => positionOf(await this.#keep(bucket, { place, subject, text, keep, number }))
        : async () => {
            await bucket.commands.command(this.#publishCommand, [subject, text]);
            return undefined;
          };
    return bucket.queue.publish({ subject, bytes: text.length, send });
  }

  async publishOnce(
    publication: EventPublication,
    once: IdempotencyKey,
    keep?: HistoryPolicy,
  ): Promise<Position | "repeated" | undefined> {
    const { bucket, place, subject } = this.#way(publication.app, publication.channel);
    const number = ++this.#number;
    const text = encode(publication, { sender: this.#sender, number });
    let isRepeated = false;
    const send = async () => {
      const answer = keep
        ? await this.#keep(bucket, { place, subject, text, keep, number }, onceOf(once))
        : await this.#carryOnce(bucket, { subject, text, number }, onceOf(once));
      isRepeated = answer === 0;
      return positionOf(answer);
    };
    // What is kept is found in history by whoever did not hear it.
    const settle = () => this.#carryOnce(bucket, { subject, text, number }, onceOf(once), "1");
    const position = await bucket.queue.publish({
      subject,
      bytes: text.length,
      send,
      ...(!keep && { resend: settle }),
    });
    return isRepeated ? "repeated" : position;
  }

  async history(app: string, channel: string, since: Position | undefined, limit: number): Promise<HistoryPage> {
    const { bucket, place, subject } = this.#way(app, channel);
    const isSubscribed = bucket.subscriber.markPositioned(subject);
    // An epoch that nobody can have is still a question.
    const epoch = since?.epoch === "" ? "-" : (since?.epoch ?? "");
    const asked = [place, epoch, String(since?.offset ?? 0), String(limit), isSubscribed ? "1" : ""];
    try {
      return pageOf(app, channel, await bucket.commands.eval(HISTORY, (run) => [...asked, run]));
    } catch (error) {
      throw unavailable(error);
    }
  }

  #keep(
    bucket: Shard,
    {
      place,
      subject,
      text,
      number,
      keep: { size, ttlMs },
    }: Sent & { readonly place: string; readonly keep: HistoryPolicy },
    once: readonly string[] = [],
  ): Promise<unknown> {
    const policy = [String(size), wholeMs(ttlMs)];
    const asked = [place, text, ...policy, this.#publishCommand, subject, this.#sender, String(number)];
    return bucket.commands.evalOrdered(PUBLISH_TO_HISTORY, (run) => [...asked, run, ...once]);
  }

  #carryOnce(
    bucket: Shard,
    { subject, text, number }: Sent,
    once: readonly string[],
    onlyAgain = "",
  ): Promise<unknown> {
    const by = `${this.#sender} ${number}`;
    return bucket.commands.evalOrdered(PUBLISH_ONCE, [...once, text, this.#publishCommand, subject, by, onlyAgain]);
  }

  #way(app: string, channel: string) {
    const place = channelKey(app, channel);
    const bucket = this.#bucket(place);
    return { place, bucket, subject: this.#keys.subject(bucket.index, place) };
  }
}

function onceOf({ key, ttlMs }: IdempotencyKey): readonly string[] {
  return [key, wholeMs(ttlMs)];
}

function wholeMs(ms: number): string {
  return String(Math.max(1, Math.ceil(ms)));
}

/** Where a script says that it put a publication; undefined where that is not known, or there is no place. */
function positionOf(answer: unknown): Position | undefined {
  const [epoch, offset] = Array.isArray(answer) ? answer : [];
  return offset === undefined || Number(offset) < 0 ? undefined : { epoch: String(epoch), offset: Number(offset) };
}

function pageOf(app: string, channel: string, answer: unknown): HistoryPage {
  const [epoch = "", offset = 0, complete = 0, entries = [], line = ""] = Array.isArray(answer) ? answer : [];
  const position = { epoch: String(epoch), offset: Number(offset) };
  const kept = (Array.isArray(entries) ? entries : []).flatMap(([at, leftMs, text]): StoredEvent[] => {
    const publication: EventPublication | undefined = decodeHistoryEntry(app, channel, String(text), {
      epoch: position.epoch,
      offset: Number(at),
    });
    return publication ? [{ publication, expiresInMs: Number(leftMs) }] : [];
  });
  return {
    events: kept.sort(byOffset),
    position,
    complete: Number(complete) === 1,
    earlierEpochs: earlierOf(String(line)),
  };
}

/** Of `epoch offset` in turn, the present one first. */
function earlierOf(line: string): readonly Position[] {
  const all = [...line.matchAll(/(\S+) (\d+)/g)].map(([, epoch, offset]) => ({
    epoch: epoch === "-" ? "" : String(epoch),
    offset: Number(offset),
  }));
  return all.slice(1);
}

function byOffset(a: StoredEvent, b: StoredEvent): number {
  return (a.publication.position?.offset ?? 0) - (b.publication.position?.offset ?? 0);
}
