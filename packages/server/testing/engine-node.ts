/** A node of a cluster without anything but its engine, which records what it receives. */

import type {
  Clock,
  Engine,
  EngineHost,
  EventPublication,
  HistoryPolicy,
  MemberUpdate,
  NodeReport,
  Publication,
  RegistryChange,
} from "../src/engine.ts";

export const realClock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

export class EngineNode implements EngineHost {
  readonly engine: Engine;
  readonly received: Publication[] = [];
  readonly facts: RegistryChange[] = [];
  readonly failures: string[] = [];
  readonly id = crypto.randomUUID();
  /** One for each time that it may have missed something: how much it had received by then. */
  readonly interruptions: number[] = [];

  constructor(engine: Engine) {
    this.engine = engine;
  }

  receive(publication: Publication): void {
    this.received.push(publication);
  }

  interrupted(): void {
    this.interruptions.push(this.received.length);
  }

  registryChanged(facts: readonly RegistryChange[]): void {
    this.facts.push(...facts);
  }

  report(): NodeReport {
    return { id: this.id, name: "test", startedAtMs: 1, connections: 3, lagMs: 0, memoryBytes: 5e6, draining: false };
  }

  failed(error: unknown, during: string): void {
    this.failures.push(`${during}: ${error instanceof Error ? error.message : String(error)}`);
  }

  async subscribe(channel: string): Promise<void> {
    await this.engine.broker.subscribe("app", channel);
  }

  async publish(channel: string, data: string, keep?: HistoryPolicy) {
    return await this.engine.broker.publish(eventOf(channel, data), keep);
  }

  /** Under itself as the key. */
  async publishOnce(channel: string, data: string, keep?: HistoryPolicy) {
    return await this.engine.broker.publishOnce(eventOf(channel, data), { key: data, ttlMs: 60_000 }, keep);
  }

  /** What was said in the channel, in order. */
  heard(channel: string): readonly string[] {
    return this.received.flatMap((each) => (each.type === "event" && each.channel === channel ? each.data : []));
  }

  async join(channel: string, user: string, connection = `c-${user}`) {
    return await this.engine.registry.join(rowOf(channel, user, connection), Number.POSITIVE_INFINITY);
  }

  async leave(channel: string, user: string, connection = `c-${user}`) {
    return await this.engine.registry.leave(rowOf(channel, user, connection));
  }

  async update(channel: string, update: MemberUpdate, connection = `c-${update.id}`) {
    return await this.engine.registry.update({ app: "app", channel, connection, member: update });
  }

  async members(channel: string): Promise<readonly string[]> {
    return (await this.engine.registry.members("app", channel)).map(({ id }) => id).sort();
  }
}

function rowOf(channel: string, user: string, connection: string) {
  return { app: "app", channel, connection, member: { id: user, info: { of: user } } };
}

function eventOf(channel: string, data: string): EventPublication {
  return { type: "event", app: "app", channel, event: "e", data };
}
