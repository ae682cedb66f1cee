/** One shard: its connections, what this node has there, and what is to be published in it. */

import type { Publication } from "../../domain/message.ts";
import type { Clock, EngineHealth, PresenceEntry } from "../../domain/ports.ts";
import { channelKey } from "../shared/channels.ts";
import { LocalState, type QuotaHold, type SubscriberCount } from "../shared/local-state.ts";
import { CommandConnection, type RunScript } from "./command-connection.ts";
import { type Connector, commandsOf } from "./connector.ts";
import type { Keys } from "./keys.ts";
import { PublishQueue, type QueueLimits } from "./publish-queue.ts";
import { COUNT_NOT_LISTENING, TOUCH_EVERY_MS, TOUCH_HEADS } from "./scripts/publish.ts";
import type { RedisSettings } from "./settings.ts";
import { Subscriber } from "./subscriber.ts";

export interface ShardEvents {
  receive(publication: Publication): void;
  /** Publications may have been missed. */
  interrupted(shard: Shard): void;
  malformed(error: unknown): void;
  /** The connection is there, again or for the first time; nothing else goes over it until this has resolved. */
  connected(shard: Shard, run: RunScript): Promise<void>;
}

export interface ShardOptions {
  readonly connector: Connector;
  readonly keys: Keys;
  readonly settings: RedisSettings;
  readonly clock: Clock;
  readonly queueLimits: QueueLimits;
}

const EXPIRE_EVERY_MS = 50;
const TOUCH_AT_ONCE = 500;
const RESOLVE_EVERY_MS = 1_000;
/** Times the longest pause between attempts: by then the other nodes have subscribed again, too. */
const OTHERS_NEED = 1.2;

export class Shard {
  readonly index: number;
  /** Begins every key of it. */
  readonly root: string;
  readonly commands: CommandConnection;
  readonly subscriber: Subscriber;
  readonly queue: PublishQueue;
  readonly state = new ShardState();
  readonly #options: ShardOptions;
  #opensAtMs = 0;
  /** Until when the other nodes are waited for; undefined where all of them listen. */
  #waitsUntilMs: number | undefined;
  #isAsking = false;
  /** Where the shard was found last. */
  #lastAddress: string | undefined;
  #opening: ReturnType<typeof setTimeout> | undefined;
  #timers: ReturnType<typeof setInterval>[] = [];

  constructor(index: number, options: ShardOptions, events: ShardEvents) {
    const { keys, settings, clock, queueLimits, connector } = options;
    this.index = index;
    this.root = keys.root(index);
    this.#options = options;
    const why = () => (this.health.reachable ? undefined : this.health.why);
    this.commands = new CommandConnection({
      ...{ connector, settings, clock, shard: index, root: this.root, why },
      prepare: async (run, isAgain) => {
        await events.connected(this, run);
        if (isAgain) this.#awaitOthers();
        this.#open();
      },
    });
    const subject = keys.heartbeatSubject(index);
    const { publish } = commandsOf(settings);
    this.subscriber = new Subscriber({
      ...{ connector, settings, clock, shard: index, readySubject: keys.readySubject(index) },
      heartbeat: { subject, send: (text) => this.commands.sendHeartbeat(publish, [subject, text]) },
      receive: (publication) => events.receive(publication),
      interrupted: () => events.interrupted(this),
      malformed: (error) => events.malformed(error),
      up: () => this.#open(),
    });
    const isOpen = () => this.#isReachable && this.#waitsUntilMs === undefined;
    this.queue = new PublishQueue({ clock, limits: queueLimits, isOpen, why });
  }

  async start(): Promise<void> {
    this.#timers = [
      setInterval(() => {
        this.queue.expire();
        void this.#checkListeners();
        this.queue.pump();
      }, EXPIRE_EVERY_MS),
      setInterval(() => void this.#touchHeads(), TOUCH_EVERY_MS),
    ];
    const { resolveAddress } = this.#options.connector;
    if (resolveAddress) this.#timers.push(setInterval(() => void this.#checkAddress(resolveAddress), RESOLVE_EVERY_MS));
    for (const timer of this.#timers) timer.unref?.();
    const subscribed = this.subscriber.start();
    await this.commands.start();
    // Without a connection for commands, the one for publications waits for that.
    await (this.commands.isUp ? subscribed : Promise.race([subscribed, this.subscriber.connected]));
  }

  get health(): EngineHealth {
    const [subscriber, commands] = [this.subscriber.health, this.commands.health];
    if (subscriber.reachable || (!commands.reachable && commands.refusal !== undefined)) return commands;
    // Connected, the subscriber may only wait for the connection for commands.
    return this.subscriber.isConnected && !commands.reachable ? commands : subscriber;
  }

  /** Whether something is on its way that may still come to an end. */
  get isBusy(): boolean {
    return this.commands.isUp && (this.commands.isBusy || !this.queue.isEmpty);
  }

  /** Nothing is published or received any more; commands still go. */
  stopPublishing(): void {
    this.queue.close();
    this.subscriber.close();
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#opening);
    this.stopPublishing();
    this.commands.close();
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  get #isReachable(): boolean {
    return this.commands.isUp && this.subscriber.isUp && this.#nowMs >= this.#opensAtMs;
  }

  #awaitOthers(): void {
    const { reconnectMaxMs, nodeTimeoutMs } = this.#options.settings;
    this.#opensAtMs = this.#nowMs + reconnectMaxMs * OTHERS_NEED;
    this.#waitsUntilMs = this.#nowMs + nodeTimeoutMs;
  }

  #open(): void {
    clearTimeout(this.#opening);
    const waitMs = Math.max(0, this.#opensAtMs - this.#nowMs);
    this.#opening = setTimeout(() => {
      void this.#checkListeners();
      this.queue.pump();
    }, waitMs + 1);
  }

  /**
   * After the connection was lost, nothing is published before every node that lives listens where this one publishes: the
   * shard may be somewhere else now. One that is silent for as long counts as dead.
   */
  async #checkListeners(): Promise<void> {
    const untilMs = this.#waitsUntilMs;
    if (untilMs === undefined || this.#isAsking || !this.#isReachable) return;
    this.#isAsking = true;
    try {
      const { keys, settings } = this.#options;
      const { countSubscribers } = commandsOf(settings);
      const args = { countSubscribers, subject: keys.readySubject(this.index) };
      const missing = await this.commands.run(COUNT_NOT_LISTENING, args);
      const isOver = missing === 0 || this.#nowMs >= untilMs;
      if (isOver && this.#waitsUntilMs === untilMs) this.#waitsUntilMs = undefined;
    } catch {
      // It is asked again.
    } finally {
      this.#isAsking = false;
    }
    this.queue.pump();
  }

  /** Numberings that a client here may know a position in are not to be forgotten. */
  async #touchHeads(): Promise<void> {
    const channels = this.subscriber.positionedChannels.map(channelKey);
    try {
      for (let from = 0; from < channels.length; from += TOUCH_AT_ONCE) {
        const some = channels.slice(from, from + TOUCH_AT_ONCE);
        await this.commands.run(TOUCH_HEADS, { channels: JSON.stringify(some) });
      }
    } catch {
      // There are several more occasions before one is forgotten.
    }
  }

  /**
   * A server that is no longer in charge may not say so. What is published may still go there until the server itself has
   * noticed, so the subscriber leaves it at the second look.
   */
  async #checkAddress(resolve: NonNullable<Connector["resolveAddress"]>): Promise<void> {
    const address = await resolve(this.index).catch(() => undefined);
    if (address === undefined) return;
    const isSure = this.#lastAddress === address;
    for (const connection of isSure ? [this.commands, this.subscriber] : [this.commands]) {
      if (connection.address !== undefined && connection.address !== address)
        connection.drop(`it is at ${address} now`);
    }
    this.#lastAddress = address;
  }
}

/** `wasThere` says whether the entry had been reported, so that its end has to be. */
interface DoubtfulEntry {
  readonly entry: PresenceEntry;
  readonly wasThere: boolean;
}

/** What this node has in the shard, to write it again where it was lost, and what could not be written. */
class ShardState extends LocalState {
  /** Until then others may still have to write again what was lost, so that it is not known who is gone. Monotonic milliseconds. */
  unsureUntilMs = 0;
  /** Keys of counts that are written with the next heartbeat. */
  readonly pendingCounts = new Set<string>();
  /** What Redis may have otherwise, because no answer came. */
  readonly doubtfulEntries = new Map<string, DoubtfulEntry>();
  readonly doubtfulCounts = new Map<string, SubscriberCount>();
  readonly doubtfulHolds = new Map<string, QuotaHold>();

  clearDoubts(): void {
    this.doubtfulEntries.clear();
    this.doubtfulCounts.clear();
    this.doubtfulHolds.clear();
  }
}
