/** The engine of one of several workers on a machine: each call is a request to the hub process between them. */

import type {
  Broker,
  Clock,
  Engine,
  EngineHealth,
  EngineHost,
  Ledger,
  NodeState,
  Registry,
} from "../../domain/ports.ts";
import {
  type Answer,
  HEARTBEAT_MS,
  type HubBatch,
  type HubMethods,
  type Method,
  type Send,
  type WorkerBatch,
} from "./messages.ts";
import { type IncomingMessage, type RequestLimits, Requests } from "./requests.ts";

/** Silence after which the hub counts as unreachable: two heartbeats and a margin. */
const SILENT_MS = 3_000;
/** How long open requests may delay the end. */
const CLOSE_WAIT_MS = 2_000;

export interface WorkerEngine extends Engine {
  /** Processes what the hub process sent. */
  receive(batch: HubBatch): void;
}

const DEFAULT_LIMITS: RequestLimits = { waitMs: 5_000, waitBytes: 64 * 1024 * 1024 };

/** `send` passes batches to the hub process. */
export function workersEngine(
  clock: Clock,
  send: Send<WorkerBatch>,
  limits: RequestLimits = DEFAULT_LIMITS,
): WorkerEngine {
  return new RemoteEngine(clock, send, limits);
}

class RemoteEngine implements WorkerEngine {
  readonly name = "workers";
  readonly broker: Broker;
  readonly registry: Registry;
  readonly ledger: Ledger;
  readonly #requests: Requests;
  #host: EngineHost | undefined;
  #heartbeats: ReturnType<typeof setInterval> | undefined;
  #closing: Promise<void> | undefined;

  constructor(clock: Clock, send: Send<WorkerBatch>, limits: RequestLimits) {
    this.#requests = new Requests(clock, limits, send, (message) => this.#receive(message));
    const call =
      <M extends Method>(method: M, isTurn = false) =>
      (...args: Parameters<HubMethods[M]>): Promise<Answer<M>> =>
        this.#requests.call(method, args, isTurn);
    const notify =
      <M extends Method>(method: M) =>
      (...args: Parameters<HubMethods[M]>): void =>
        this.#requests.notify(method, args);
    this.broker = {
      subscribe: call("subscribe"),
      unsubscribe: notify("unsubscribe"),
      publish: call("publish"),
      publishOnce: call("publishOnce"),
      expireKey: notify("expireKey"),
      history: call("history"),
      purge: call("purge"),
    };
    this.registry = {
      // The new member receives those who join later: it has to be in the channel before anything else is processed.
      join: call("join", true),
      leave: call("leave"),
      update: call("update"),
      setSubscriberCount: call("setSubscriberCount"),
      changesRecorded: notify("changesRecorded"),
      members: call("members"),
      summary: call("summary"),
      channels: call("channels"),
    };
    this.ledger = {
      acquire: call("acquire"),
      release: call("release"),
      takeToken: call("takeToken"),
      setIfAbsent: call("setIfAbsent"),
      exists: call("exists"),
      delete: call("delete"),
      setMax: call("setMax"),
      get: call("get"),
    };
  }

  async start(host: EngineHost): Promise<void> {
    this.#host = host;
    this.#heartbeats = setInterval(() => this.#requests.notify("heartbeat", [host.report()]), HEARTBEAT_MS);
    // If it fails, the heartbeats go on, and so does the node.
    const reached = this.#requests.call("heartbeat", [host.report()]);
    await reached.catch((error) => host.failed(error, "reaching the engine"));
  }

  receive(batch: HubBatch): void {
    this.#requests.receive(batch);
  }

  health(): EngineHealth {
    const sinceMs = Math.round(this.#requests.silentMs);
    if (sinceMs < SILENT_MS) return { reachable: true };
    return { reachable: false, why: "The process that the workers work for does not answer.", sinceMs };
  }

  nodes(): Promise<readonly NodeState[]> {
    return this.#requests.call("nodes", []);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#heartbeats);
    await this.#requests.settled(CLOSE_WAIT_MS);
    // If the hub does not answer, it cannot take anything back either.
    const late = setTimeout(() => this.#requests.close(), CLOSE_WAIT_MS);
    await this.#requests.call("close", []).catch(() => {});
    clearTimeout(late);
    this.#requests.close();
    this.#host = undefined;
  }

  #receive(message: IncomingMessage): void {
    if (message[0] === "publication") this.#host?.receive(message[1]);
    else this.#host?.registryChanged(message[1]);
  }
}
