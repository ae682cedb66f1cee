/** How a server's clients leave it: to other nodes while it goes on, or all of them because it ends. */

import type { Config } from "../../config/schema/schema.ts";
import { isReserved } from "../../domain/app.ts";
import type { Connection } from "../../domain/connection.ts";
import { Disconnect } from "../../domain/error.ts";
import type { Clock } from "../../domain/ports.ts";
import type { Hub } from "../../hub/hub.ts";
import { EndpointConnection } from "../endpoints/endpoint-connection.ts";
import type { EndpointRegistry } from "../endpoints/endpoint-registry.ts";
import type { Listeners } from "../websocket/listeners.ts";

/** A client that has requested nothing for so long is taken to be done. */
const QUIET_MS = 100;
/** How long joins and leaves may take to be written, and what is refused at the end to be answered. */
const SETTLE_MS = 1_000;

/** What becomes of an HTTP request: the last on its connection, or refused. */
type RequestPhase = "last" | "too late" | undefined;

/** How far a server's end has come. */
export class DrainState {
  readonly #clock: Clock;
  readonly #draining = new AbortController();
  /** The server will end. */
  isStopping = false;
  /** Its clients are sent to other nodes while it goes on. */
  isSwitchedOn = false;
  requests: RequestPhase;
  #lastRequestAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Clients have to leave, or will have to. */
  get isDraining(): boolean {
    return this.isStopping || this.isSwitchedOn;
  }

  /** No client is let in any more. A signal's own word for it costs a call into the runtime at each handshake. */
  areDoorsClosed = false;

  /** Aborted when no client is let in any more. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  closeDoors(message: string): void {
    this.areDoorsClosed = true;
    this.#draining.abort(new Error(message));
  }

  requestArrived(): RequestPhase {
    if (this.requests) this.#lastRequestAtMs = this.#clock.monotonicMs();
    return this.requests;
  }

  /** Whether requests still come in on connections that are open. */
  get hasRecentRequests(): boolean {
    return this.#clock.monotonicMs() - this.#lastRequestAtMs < QUIET_MS;
  }
}

export interface DrainControllerOptions {
  readonly nodeId: string;
  readonly settings: DrainSettings;
  readonly state: DrainState;
  readonly hub: Hub;
  readonly listeners: Listeners;
  readonly endpoints: EndpointRegistry;
  /** Clients without a WebSocket, which may be between two requests when they are told to go. */
  readonly sessions: { readonly activeCount: number };
}

type DrainSettings = Pick<Config, "drainDelayS" | "drainTimeoutS" | "drainSpreadS">;
type DisconnectOptions = GradualDisconnectOptions<Connection | EndpointConnection>;

export class DrainController {
  readonly #options: DrainControllerOptions;
  /** Those of a reloaded configuration take the place of the first ones. */
  settings: DrainSettings;
  #switchedOn: AbortController | undefined;
  /** Whether no other node took over what this one left; known when it has stopped. */
  isLastNode = false;

  constructor(options: DrainControllerOptions) {
    this.#options = options;
    this.settings = options.settings;
  }

  /** Tells the clients that are here, and those that come, to connect again (4200): to another node. Until it is switched off. */
  setDraining(isOn: boolean): void {
    const { state, hub, endpoints } = this.#options;
    if (!isOn) {
      this.#switchedOn?.abort();
      this.#switchedOn = undefined;
      state.isSwitchedOn = false;
    } else if (!state.isDraining) {
      this.#switchedOn = new AbortController();
      state.isSwitchedOn = true;
      const { signal } = this.#switchedOn;
      const clients = () => [...hub.connections()].filter(({ app }) => !isReserved(app));
      const here = () => [...clients(), ...endpoints.connections()];
      void keepDisconnecting({ ...this.#disconnectOptions, here, signal });
    }
  }

  /** There is no time: every client is told to connect again at once. */
  async abandon(): Promise<void> {
    this.#options.state.isStopping = true;
    await this.#disconnectAll({ spreadMs: 0, pause: () => Bun.sleep(0) });
  }

  /** Makes the server unready for a while before it ends; until then it goes on as before. */
  async beginStop(): Promise<void> {
    const { state } = this.#options;
    state.isStopping = true;
    this.setDraining(false);
    if (this.settings.drainDelayS > 0) await Bun.sleep(this.settings.drainDelayS * 1000);
    state.requests = "last";
  }

  /** Disconnects clients over a part of the time there is, the rest of which is for their leaving. */
  async disconnectAll(): Promise<void> {
    const { hub, nodeId, state } = this.#options;
    const { clock } = hub;
    const deadlineMs = clock.monotonicMs() + this.settings.drainTimeoutS * 1000;
    await this.#disconnectAll();
    await this.#until(() => !this.#isOccupied, deadlineMs - clock.monotonicMs());
    await this.#settled();
    this.isLastNode = await isLastNode(hub, nodeId);
    state.requests = "too late";
  }

  /** When the hub has stopped, and what waited in it has failed. */
  async closeListeners(): Promise<void> {
    const { listeners } = this.#options;
    await this.#settled();
    await this.#until(() => listeners.pendingRequests === 0, SETTLE_MS);
    void listeners.stop(false);
    await listeners.stop(true);
  }

  get #isOccupied(): boolean {
    const { listeners, state, endpoints, sessions } = this.#options;
    const { pendingWebSockets, pendingRequests } = listeners;
    return (
      pendingWebSockets + pendingRequests + sessions.activeCount > 0 || state.hasRecentRequests || endpoints.isBusy
    );
  }

  /** Joins and leaves that are on their way to the engine and to observers. */
  #settled(): Promise<void> {
    return this.#until(() => !this.#options.hub.isBusy, SETTLE_MS);
  }

  async #until(isSo: () => boolean, withinMs: number): Promise<void> {
    const { clock } = this.#options.hub;
    const deadlineMs = clock.monotonicMs() + withinMs;
    while (!isSo() && clock.monotonicMs() < deadlineMs) await Bun.sleep(5);
  }

  get #disconnectOptions(): Omit<DisconnectOptions, "connections"> {
    const { hub } = this.#options;
    const { drainTimeoutS, drainSpreadS = Number.POSITIVE_INFINITY } = this.settings;
    return {
      disconnect: (one, why) => (one instanceof EndpointConnection ? one.disconnect(why) : hub.disconnect(one, why)),
      spreadMs: Math.min(drainSpreadS, drainTimeoutS / 2) * 1000,
      clock: hub.clock,
    };
  }

  async #disconnectAll(other: Partial<DisconnectOptions> = {}): Promise<void> {
    const { hub, endpoints } = this.#options;
    const connections = [...hub.connections(), ...endpoints.connections()];
    await disconnectGradually({ ...this.#disconnectOptions, connections, ...other });
  }
}

export interface GradualDisconnectOptions<C = Connection> {
  readonly connections: Iterable<C>;
  readonly disconnect: (connection: C, why: Disconnect) => void;
  /** Time over which they are spread. A few clients are disconnected at once, whatever it is. */
  readonly spreadMs: number;
  readonly clock: Clock;
  readonly pause?: (ms: number) => Promise<void>;
  /** Why they go, in words for their clients. */
  readonly message?: string;
  /** No more are disconnected when it is aborted. */
  readonly signal?: AbortSignal;
  /** A slice has at least so many. */
  readonly fewest?: number;
  /** From 0 to 1. */
  readonly random?: () => number;
}

/** On average; each pause is between half of it and one and a half, so that several nodes do not keep step. */
const PAUSE_MS = 50;
/** So few in a slice are easy for the nodes that take them in: 200 a second. */
const FEW = 10;

/** The clients of one slice come back over so long, where their protocol can ask for it. */
const COME_BACK_MS = 1_000;

const SHUTTING_DOWN = "The server is shutting down; connect again.";
const ELSEWHERE = "This server sends its clients to another one; connect again.";

/** Clients that came meanwhile are disconnected so much later: a client whose only server this is comes back no more often. */
const AGAIN_MS = 1_000;

/** Disconnects the clients that are here, and those that come, until the signal is aborted. */
async function keepDisconnecting<C>(
  options: Omit<GradualDisconnectOptions<C>, "connections"> & {
    readonly here: () => Iterable<C>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { here, signal, pause = Bun.sleep } = options;
  let { spreadMs } = options;
  while (!signal.aborted) {
    await disconnectGradually({ message: ELSEWHERE, ...options, spreadMs, connections: here() });
    spreadMs = AGAIN_MS;
    if (!signal.aborted) await pause(AGAIN_MS);
  }
}

/** A node that has been silent for longer takes nothing over. */
const SILENT_MS = 5_000;

/** Whether no other node takes over what this one leaves. Without an answer of the engine there may be others. */
export async function isLastNode(hub: Pick<Hub, "nodes">, id: string): Promise<boolean> {
  try {
    const others = (await hub.nodes()).filter((node) => node.id !== id);
    return others.every(({ draining, silentMs }) => draining || silentMs > SILENT_MS);
  } catch {
    return false;
  }
}

/**
 * Disconnects clients a slice at a time, so that they do not all connect again in the same moment. Resolves when the last was sent its
 * close, which is not yet when the last is gone.
 */
export async function disconnectGradually<C>(options: GradualDisconnectOptions<C>): Promise<void> {
  const { disconnect, spreadMs, clock, pause = Bun.sleep, fewest = FEW, random = Math.random } = options;
  const { message = SHUTTING_DOWN } = options;
  const reason = () => new Disconnect("shutdown", message, Math.round(random() * COME_BACK_MS));
  const waiting = [...options.connections];
  const endMs = clock.monotonicMs() + spreadMs;
  while (waiting.length > 0 && !options.signal?.aborted) {
    const slices = Math.max(1, Math.floor((endMs - clock.monotonicMs()) / PAUSE_MS));
    const size = Math.max(fewest, Math.ceil(waiting.length / slices));
    for (const connection of waiting.splice(0, size)) disconnect(connection, reason());
    if (waiting.length > 0) await pause(PAUSE_MS * (0.5 + random()));
  }
}
