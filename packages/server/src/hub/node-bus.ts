/**
 * What the nodes of a cluster ask of each other for a program: to tell every connection of an app, or to find, tell or end one.
 * The first number of a connection's id names its node, so nobody else is asked.
 */

import type { App } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import { CommandError, Disconnect, isEngineAway } from "../domain/error.ts";
import type { NoticePush, Publication, Push } from "../domain/message.ts";
import type { Awaitable, Broker, Clock, NodeState } from "../domain/ports.ts";

interface Host {
  /** This node's number. */
  readonly number: number;
  readonly clock: Clock;
  /** How long another node may take to answer. */
  readonly patienceS: () => number;
  nodes(): Awaitable<readonly NodeState[]>;
  readonly broker: Pick<Broker, "subscribe" | "publish">;
  connection(app: Pick<App, "id">, id: string): Connection | undefined;
  push(connection: Connection, push: Push): void;
  disconnect(connection: Connection, why: Disconnect): void;
  broadcast(app: Pick<App, "id">, push: Push): void;
  failed(error: unknown, during: string): void;
}

/** What is done with a connection, where it is found. */
export type ConnectionAction =
  | { readonly type: "find" }
  | { readonly type: "push"; readonly notice: NoticePush }
  | { readonly type: "disconnect"; readonly message: string };

type NodeMessage =
  | { readonly type: "broadcast"; readonly app: string; readonly notice: NoticePush }
  | {
      readonly type: "ask";
      readonly id: number;
      readonly from: number;
      readonly app: string;
      readonly connection: string;
      readonly act: ConnectionAction;
    }
  | { readonly type: "answer"; readonly id: number; readonly isThere: boolean };

interface Asked {
  readonly atMs: number;
  resolve(isThere: boolean): void;
  reject(error: Error): void;
}

/** Not an app that anybody has: what nodes say to each other is in no tenant's channels. */
const APP = "#nodes";
const ALL = "#all";
const CONNECTION_ID = /^(\d{1,10})\.\d{1,20}$/;

/** Made of the id that a node reports: 32 bits, as the first number of its connections' ids. */
export function nodeNumber(id: string): number {
  let number = 0x811c9dc5;
  for (let at = 0; at < id.length; at++) number = Math.imul(number ^ id.charCodeAt(at), 0x01000193);
  return number >>> 0;
}

export class NodeBus {
  readonly #host: Host;
  readonly #asked = new Map<number, Asked>();
  readonly #heard = new Set<string>();
  #last = 0;
  #isStarting = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** The first number of the ids of this node's connections. */
  get number(): number {
    return this.#host.number;
  }

  /** Hears the others from now on, as soon as the engine is there. Call `sweep` every second or two. Never throws. */
  async start(): Promise<void> {
    this.#isStarting = true;
    await Promise.all([this.#hear(ALL), this.#hear(channelOf(this.#host.number))]);
    this.#isStarting = false;
  }

  /** Whether it was for nodes. */
  receive(publication: Publication): boolean {
    if (publication.app !== APP) return false;
    try {
      if (publication.type === "event") this.#obey(wordOf(JSON.parse(publication.data)));
    } catch (error) {
      this.#host.failed(error, "what another node said");
    }
    return true;
  }

  /** Tells every connection of the app, in the whole cluster. Throws CommandError `engine_unavailable`. */
  async broadcast(app: App, notice: NoticePush): Promise<void> {
    await this.#say(ALL, { type: "broadcast", app: app.id, notice });
  }

  /**
   * Does it with the connection, wherever it is. Whether it is there. Throws CommandError `engine_unavailable` where its node
   * does not answer; then it may be done or not.
   */
  async act(app: Pick<App, "id">, connection: string, act: ConnectionAction): Promise<boolean> {
    const node = Number(CONNECTION_ID.exec(connection)?.[1] ?? Number.NaN);
    if (node === this.#host.number || this.#host.connection(app, connection)) return this.#act(app, connection, act);
    const nodes = await this.#host.nodes();
    if (!nodes.some(({ id }) => nodeNumber(id) === node)) return false;
    const id = ++this.#last;
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.#asked.set(id, { atMs: this.#host.clock.monotonicMs(), resolve, reject });
    const word: NodeMessage = { type: "ask", id, from: this.#host.number, app: app.id, connection, act };
    this.#say(channelOf(node), word).catch((error) => this.#settle(id, (asked) => asked.reject(error)));
    return promise;
  }

  sweep(nowMs: number): void {
    const patienceMs = this.#host.patienceS() * 1000;
    for (const [id, { atMs }] of this.#asked) {
      if (nowMs - atMs < patienceMs) continue;
      const error = new CommandError("engine_unavailable", "The node that has this connection does not answer.");
      this.#settle(id, (asked) => asked.reject(error));
    }
    if (this.#heard.size < 2 && !this.#isStarting) void this.start();
  }

  // ---- private

  async #hear(channel: string): Promise<void> {
    if (this.#heard.has(channel)) return;
    try {
      await this.#host.broker.subscribe(APP, channel);
      this.#heard.add(channel);
    } catch (error) {
      if (!isEngineAway(error)) this.#host.failed(error, "listening to other nodes");
    }
  }

  async #say(channel: string, word: NodeMessage): Promise<void> {
    const data = JSON.stringify(word);
    await this.#host.broker.publish({ type: "event", app: APP, channel, event: word.type, data });
  }

  #obey(word: NodeMessage): void {
    switch (word.type) {
      case "broadcast":
        return this.#host.broadcast({ id: word.app }, word.notice);
      case "answer":
        return this.#settle(word.id, (asked) => asked.resolve(word.isThere));
      case "ask": {
        const isThere = this.#act({ id: word.app }, word.connection, word.act);
        this.#say(channelOf(word.from), { type: "answer", id: word.id, isThere }).catch((error) =>
          this.#host.failed(error, "answering another node"),
        );
      }
    }
  }

  #act(app: Pick<App, "id">, id: string, act: ConnectionAction): boolean {
    const connection = this.#host.connection(app, id);
    if (!connection) return false;
    if (act.type === "push") this.#host.push(connection, act.notice);
    if (act.type === "disconnect") this.#host.disconnect(connection, new Disconnect("terminated", act.message));
    return true;
  }

  #settle(id: number, how: (asked: Asked) => void): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (asked) how(asked);
  }
}

function channelOf(node: number): string {
  return `#node-${node}`;
}

/** Anybody may publish in an engine: what is none of the nodes' words is not obeyed. */
function wordOf(value: unknown): NodeMessage {
  const { type, id, from, app, connection, act, notice, isThere } = fields(value);
  switch (type) {
    case "broadcast":
      return { type, app: text(app), notice: noticeOf(notice) };
    case "ask":
      return {
        type,
        id: number(id),
        from: number(from),
        app: text(app),
        connection: text(connection),
        act: actOf(act),
      };
    case "answer":
      return { type, id: number(id), isThere: isThere === true };
  }
  throw new Error("It is of no known kind.");
}

function actOf(value: unknown): ConnectionAction {
  const { type, notice, message } = fields(value);
  switch (type) {
    case "find":
      return { type };
    case "push":
      return { type, notice: noticeOf(notice) };
    case "disconnect":
      return { type, message: text(message) };
  }
  throw new Error("It asks for what no node does.");
}

function noticeOf(value: unknown): NoticePush {
  const { event, data, bare } = fields(value);
  return { type: "notice", event: text(event), data: text(data), ...(bare === true && { bare }) };
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw new Error("It is not an object.");
}

function text(value: unknown): string {
  if (typeof value === "string") return value;
  throw new Error("It has something else where a text belongs.");
}

function number(value: unknown): number {
  if (typeof value === "number") return value;
  throw new Error("It has something else where a number belongs.");
}
