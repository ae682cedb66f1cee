/** The subscribers of one channel on this node, in groups with a topic each: one for each protocol they speak, and variant of it. */

import { type App, isReserved } from "../domain/app.ts";
import type { Channel } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import type {
  EventPublication,
  JoinedPublication,
  LeftPublication,
  Position,
  Push,
  UpdatedPublication,
} from "../domain/message.ts";
import type { FrameObserver, TrafficMeter } from "../domain/traffic.ts";
import type { Fanout, Protocol, Socket } from "../domain/transport.ts";
import { type ChannelReader, Sequence, type SequenceReader } from "./sequence.ts";

/** What changes who is in a presence channel, and as whom. */
export type PresencePublication = JoinedPublication | LeftPublication | UpdatedPublication;

interface ProtocolGroup {
  readonly protocol: Protocol;
  readonly topic: string;
  count: number;
}

export class Audience {
  readonly app: string;
  /** Replaced when the program makes something else of it. */
  channel: Channel;
  /** How many joins, memberships and watchers keep it alive. */
  holders = 0;
  /** How many of these are the program's own subscriptions. */
  programHolders = 0;
  /** Resolves when the broker delivers this channel's publications to this node. Undefined when it does. */
  subscribing: Promise<void> | undefined;
  /** The broker could not be asked for the channel's publications, or lost the question. */
  needsSubscribe = true;
  /** Joins that are under way collect the events that arrive meanwhile. */
  readonly listeners = new Set<(publication: EventPublication) => void>();
  /** The same for members who join, change and leave. */
  readonly presenceListeners = new Set<(publication: PresencePublication) => void>();
  readonly groups: ProtocolGroup[] = [];
  /** What the program itself receives it by. Absent nearly always. */
  readers: Set<ChannelReader> | undefined;
  /** How far its numbered publications are delivered. Only in channels of which anything is kept. */
  sequence: Sequence | undefined;
  /** Connections that the cluster counts among those that may subscribe. Only where there is a limit. */
  counted: Set<string> | undefined;
  /** The last number of subscribers that was sent here. Only where it is sent. */
  lastCount: number | undefined;
  /** How often something may have been lost: what was read of the past before that is not up to date. */
  interruptions = 0;
  /** The look at all connections after which anything was last sent to its subscribers: to look at the clock for each would cost too much. */
  lastSentAtMs = Number.NEGATIVE_INFINITY;

  /** Members who are leaving: until all have left, the channel is occupied. */
  leaving = 0;
  /** Resolves when observers are notified of all that was counted here. */
  observersNotified: Promise<void> | undefined;

  constructor(app: string, channel: Channel) {
    this.app = app;
    this.channel = channel;
  }

  /** How many subscribers there are here. Bun's topics know which: a set of them would cost each one 36 bytes. */
  get size(): number {
    let sum = 0;
    for (const group of this.groups) sum += group.count;
    return sum;
  }

  /** The socket receives the channel from now on, or from after the position up to which it has everything. */
  addSubscriber(connection: Connection, fanout: Fanout | undefined, upTo?: Position): void {
    if (upTo) this.startSequence().addReader(connection, upTo, this.#isEmpty);
    let readers = this.#groupOf(connection.protocol);
    if (!readers) {
      const { protocol } = connection;
      readers = { protocol, topic: `${this.app}/${this.channel.name}/${groupName(protocol)}`, count: 0 };
      this.groups.push(readers);
    }
    readers.count++;
    fanout?.flush?.(readers.topic);
    connection.socket?.subscribe(readers.topic);
  }

  /** Takes back one `addSubscriber`; the caller knows that there was one. */
  removeSubscriber(connection: Connection, fanout: Fanout | undefined): void {
    this.sequence?.removeReader(connection);
    const readers = this.#groupOf(connection.protocol);
    if (!readers) return;
    if (!connection.closed) {
      fanout?.flush?.(readers.topic);
      connection.socket?.unsubscribe(readers.topic);
    }
    if (--readers.count === 0) this.groups.splice(this.groups.indexOf(readers), 1);
  }

  /** As a connection: it receives the channel from now on, or from after the position. */
  addReader(reader: ChannelReader, upTo?: Position): void {
    if (upTo) this.startSequence().addReader(reader, upTo, this.#isEmpty);
    this.readers ??= new Set();
    this.readers.add(reader);
  }

  removeReader(reader: ChannelReader): void {
    this.sequence?.removeReader(reader);
    this.readers?.delete(reader);
    if (this.readers?.size === 0) this.readers = undefined;
  }

  /** To what the program receives it by, but for those that have it. */
  sendToReaders(push: Push, except: readonly SequenceReader[]): void {
    if (!this.readers) return;
    for (const reader of [...this.readers]) if (!except.includes(reader)) reader.receive(push);
  }

  get #isEmpty(): boolean {
    return this.groups.length === 0 && !this.readers;
  }

  /** The topic of those who speak the protocol; undefined where there are none. */
  topicOf(protocol: Protocol): string | undefined {
    return this.#groupOf(protocol)?.topic;
  }

  /** A loop: each client that comes and goes asks twice, and a closure would be garbage of it. */
  #groupOf(protocol: Protocol): ProtocolGroup | undefined {
    for (const group of this.groups) if (group.protocol === protocol) return group;
    return undefined;
  }

  /** The sequence, begun where there is none. */
  startSequence(): Sequence {
    this.sequence ??= new Sequence();
    return this.sequence;
  }

  /** Sends it to all but these. Encodes once for each protocol that is spoken here. */
  send(
    fanout: Fanout,
    push: Push,
    except: readonly SequenceReader[],
    app: App,
    traffic?: TrafficMeter,
    frames?: FrameObserver,
  ): void {
    for (const { protocol, topic, count } of this.groups) {
      const frame = protocol.encode(push);
      if (frame === undefined) continue;
      const first = socketIn(protocol, this.channel.name, except);
      const others = except.length > 1 ? socketsIn(protocol, this.channel.name, except, first) : NO_SOCKETS;
      const readers = first ? count - 1 - others.length : count;
      traffic?.sent(app, readers, frame.length);
      if (frames && readers > 0 && !isReserved(app)) {
        frames.sentToAll({ app: app.id, channel: this.channel.name, protocol, readers }, frame);
      }
      if (first) publishPast(first, others, fanout, topic, frame, readers);
      else fanout.publish(topic, frame, count);
    }
  }
}

/** A socket's own publish skips that socket; further ones step out of the topic for the moment. */
function publishPast(
  first: Socket,
  others: readonly Socket[],
  fanout: Fanout,
  topic: string,
  frame: string,
  readers: number,
): void {
  fanout.flush?.(topic);
  const isScattered = fanout.isScattered?.(topic) ?? false;
  if (others.length === 0 && !isScattered) return void first.publish(topic, frame);
  const stepping = isScattered ? [first, ...others] : others;
  for (const socket of stepping) socket.unsubscribe(topic);
  if (isScattered) {
    fanout.publish(topic, frame, readers);
    fanout.flush?.(topic);
  } else first.publish(topic, frame);
  for (const socket of stepping) socket.subscribe(topic);
}

function groupName({ name, variant }: Protocol): string {
  return variant === undefined ? name : `${name}+${variant}`;
}

const NO_SOCKETS: readonly Socket[] = [];

/** Of the first of these that receives the channel by the protocol: mostly there is but the sender, and no list is made of it. */
function socketIn(protocol: Protocol, channel: string, readers: readonly SequenceReader[]): Socket | undefined {
  for (let at = 0; at < readers.length; at++) {
    const socket = socketOf(protocol, channel, readers[at]);
    if (socket) return socket;
  }
  return undefined;
}

/** Of the others, each once. */
function socketsIn(
  protocol: Protocol,
  channel: string,
  readers: readonly SequenceReader[],
  first: Socket | undefined,
): readonly Socket[] {
  const sockets: Socket[] = [];
  for (const reader of readers) {
    const socket = socketOf(protocol, channel, reader);
    if (socket && socket !== first && !sockets.includes(socket)) sockets.push(socket);
  }
  return sockets;
}

/** Where it receives the channel by the protocol. Bun would say so too, and take 0.1 µs of a client event for it. */
function socketOf(protocol: Protocol, channel: string, reader: SequenceReader | undefined): Socket | undefined {
  const isReader = reader?.socket && !reader.closed && reader.protocol === protocol && reader.isIn(channel);
  return isReader ? reader.socket : undefined;
}
