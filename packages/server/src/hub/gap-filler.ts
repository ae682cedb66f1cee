/**
 * Holes in a channel's numbered publications: what comes after one waits while history is asked for what is missing, and
 * where it cannot be found, clients are sent a gap.
 */

import { isEngineAway } from "../domain/error.ts";
import type { EventPublication, Publication } from "../domain/message.ts";
import type { HistoryPage } from "../domain/ports.ts";
import type { Audience } from "./audience.ts";
import type { HubContext } from "./context.ts";
import { bytesOf } from "./limits.ts";
import type { Hold, Sequence } from "./sequence.ts";
import type { Tenant } from "./tenants.ts";

/** Sends to the subscribers of one channel on this node. */
interface ChannelSender {
  send(tenant: Tenant, audience: Audience, publication: Publication): void;
  sendGap(tenant: Tenant, audience: Audience): void;
}

interface GapRead {
  readonly tenant: Tenant;
  readonly audience: Audience;
  readonly sequence: Sequence;
  readonly hold: Hold;
  /** The one that was waiting for those before it when history was read. */
  awaitedBefore: Publication | undefined;
}

const PAGE = 200;
/** Publications of one channel that wait. */
const MAX_HELD = 1_000;
/** How long they wait at most. */
const MAX_HOLD_MS = 10_000;
/** Channels that are read at a time: after an interruption it may be all of them. */
const MAX_CONCURRENT_READS = 16;

export class GapFiller {
  readonly #context: HubContext;
  readonly #sender: ChannelSender;
  readonly #open = new Set<GapRead>();
  readonly #queue: GapRead[] = [];
  /** Those whose history could not be read, for the engine was away: it is asked again. */
  readonly #unread: GapRead[] = [];
  #reading = 0;

  constructor(context: HubContext, sender: ChannelSender) {
    this.#context = context;
    this.#sender = sender;
  }

  /** Something of the channel may have been lost: looks for it, from what was delivered last. `first` has to wait for it. */
  fill(tenant: Tenant, audience: Audience, sequence: Sequence, first?: Publication): void {
    if (sequence.hold) {
      sequence.hold.needsReread = true;
      sequence.hold.beforeInterruption = sequence.hold.waiting.length;
      return;
    }
    const hold: Hold = {
      waiting: [],
      bytes: 0,
      sinceMs: this.#context.clock.monotonicMs(),
      needsReread: false,
      beforeInterruption: 0,
    };
    const gap: GapRead = { tenant, audience, sequence, hold, awaitedBefore: undefined };
    sequence.hold = hold;
    this.#open.add(gap);
    if (first) this.wait(hold, first);
    this.#queue.push(gap);
    this.#next();
  }

  /** Keeps it back until those before it are found, or not looked for any more. */
  wait(hold: Hold, publication: Publication): void {
    hold.waiting.push(publication);
    if (publication.type === "event") hold.bytes += bytesOf(publication);
    if (hold.waiting.length <= MAX_HELD && hold.bytes <= this.#context.limits.outboundBufferBytes) return;
    for (const gap of this.#open) if (gap.hold === hold) this.#giveUp(gap);
  }

  /** Asks again where the engine was away, and waits no longer than that, whatever it does. */
  sweep(nowMs: number): void {
    for (const gap of this.#open) if (nowMs - gap.hold.sinceMs > MAX_HOLD_MS) this.#giveUp(gap);
    this.#queue.push(...this.#unread.splice(0).filter(isHeld));
    this.#next();
  }

  #next(): void {
    while (this.#reading < MAX_CONCURRENT_READS) {
      const gap = this.#queue.shift();
      if (!gap) return;
      this.#reading++;
      this.#context.runInBackground(async () => {
        try {
          await this.#mend(gap);
        } catch (error) {
          if (isEngineAway(error)) this.#unread.push(gap);
          else this.#giveUp(gap);
          throw error;
        } finally {
          this.#reading--;
          this.#next();
        }
      });
    }
  }

  async #mend(gap: GapRead): Promise<void> {
    do {
      gap.hold.needsReread = false;
      await this.#read(gap);
    } while (isHeld(gap) && !this.#release(gap));
  }

  async #read(gap: GapRead): Promise<void> {
    const { tenant, audience, sequence, hold } = gap;
    let isGapSent = false;
    while (isHeld(gap) && sequence.base) {
      const { base } = sequence;
      const before = hold.waiting.length;
      const { beforeInterruption } = hold;
      const { inOtherEpochs } = sequence;
      const query = { after: base, limit: PAGE, direction: "oldest" } as const;
      const page = await this.#context.broker.history(audience.app, audience.channel.name, query);
      if (!isHeld(gap)) return;
      const waited = hold.waiting.splice(0, before);
      const isOver = (each: Publication, n: number) =>
        !isOf(page, each) && (n < beforeInterruption || isLate(each, page, sequence));
      const current = waited.filter((each, n) => !isOver(each, n));
      hold.waiting.unshift(...current);
      hold.beforeInterruption = hold.needsReread ? Math.max(0, hold.beforeInterruption - (before - current.length)) : 0;
      // They were in another epoch, and the engine is back in this one: of what comes now they have nothing.
      const areBack = inOtherEpochs.length > 0 && page.position.epoch === base.epoch;
      if (areBack) for (const reader of inOtherEpochs) sequence.removeReader(reader);
      if (areBack || !page.complete) {
        if (!isGapSent) this.#sender.sendGap(tenant, audience);
        isGapSent = true;
      }
      const found = foundIn(page, hold);
      if (!page.complete) this.#skip(sequence, page, found);
      for (const publication of found) {
        if (publication.position && sequence.judge(publication.position) === "next") {
          this.#sender.send(tenant, audience, publication);
          isGapSent = false;
        }
      }
      const stands = sequence.base;
      if (stands.epoch === page.position.epoch && stands.offset >= page.position.offset) return;
      if (stands.epoch === base.epoch && stands.offset === base.offset) return;
    }
  }

  /** Goes on with the oldest that is there and was not delivered. */
  #skip(sequence: Sequence, page: HistoryPage, found: readonly EventPublication[]): void {
    const { position } = page;
    if (sequence.base?.epoch !== position.epoch) return sequence.continueIn(page);
    const undelivered = found.flatMap((each) => each.position ?? []);
    const first = undelivered.find((each) => sequence.judge(each) !== "delivered");
    sequence.skipTo(first ?? { epoch: position.epoch, offset: position.offset + 1 });
  }

  /** Sends what has been waiting. False where something is still missing that may be found. */
  #release(gap: GapRead): boolean {
    const { tenant, audience, sequence, hold } = gap;
    if (hold.needsReread) return false;
    while (hold.waiting.length > 0) {
      const [next] = hold.waiting;
      const position = next?.type === "event" ? next.position : undefined;
      if (next && position && sequence.judge(position) === "hole") {
        if (gap.awaitedBefore !== next) {
          gap.awaitedBefore = next;
          return false;
        }
        this.#sender.sendGap(tenant, audience);
        sequence.skipTo(position);
      }
      hold.waiting.shift();
      if (next && !(position && sequence.judge(position) === "delivered")) this.#sender.send(tenant, audience, next);
    }
    this.#end(gap);
    return true;
  }

  /** Sends the gap, and then what has been waiting. */
  #giveUp(gap: GapRead): void {
    if (!isHeld(gap)) return;
    const { tenant, audience, sequence, hold } = gap;
    this.#end(gap);
    this.#sender.sendGap(tenant, audience);
    let isGapSent = true;
    for (const next of hold.waiting) {
      const position = next.type === "event" ? next.position : undefined;
      const verdict = position && sequence.judge(position);
      if (verdict === "delivered") continue;
      if (position && verdict === "hole") {
        if (!isGapSent) this.#sender.sendGap(tenant, audience);
        sequence.skipTo(position);
      }
      this.#sender.send(tenant, audience, next);
      isGapSent = false;
    }
  }

  #end(gap: GapRead): void {
    gap.sequence.hold = undefined;
    this.#open.delete(gap);
  }
}

/** What is kept; and where something is lost, what waits and is not kept any more: a history may be as short as one event. */
function foundIn(page: HistoryPage, { waiting }: Hold): readonly EventPublication[] {
  const kept = page.events.map(({ publication }) => publication);
  if (page.complete) return kept;
  const waited = waiting.flatMap((each) =>
    each.type === "event" && each.position?.epoch === page.position.epoch ? each : [],
  );
  return [...kept, ...waited].sort((a, b) => (a.position?.offset ?? 0) - (b.position?.offset ?? 0));
}

function isOf({ position }: HistoryPage, publication: Publication): boolean {
  return publication.type !== "event" || !publication.position || publication.position.epoch === position.epoch;
}

/**
 * What waited before history was asked cannot be of a later epoch than the answer: in another one, it is over. But where nothing
 * is missing, and the epoch is not known here, it is the answer that is late: of a server that was in charge before.
 */
function isLate(publication: Publication, { complete }: HistoryPage, sequence: Sequence): boolean {
  const isKnown = publication.type !== "event" || sequence.knows(publication.position?.epoch ?? "");
  return isKnown || !complete;
}

function isHeld({ sequence, hold }: GapRead): boolean {
  return sequence.hold === hold;
}
