/** How a server's clients leave it: to other nodes while it goes on, or all of them because it ends. */

import type { Config } from "../../config/schema/schema.ts";
import { isReserved } from "../../domain/app.ts";
import type { Connection } from "../../domain/connection.ts";
import type { Clock } from "../../domain/ports.ts";
import type { Hub } from "../../hub/hub.ts";
import { EndpointConnection } from "../endpoints/endpoint-connection.ts";
import type { EndpointRegistry } from "../endpoints/endpoint-registry.ts";
import type { Listeners } from "../websocket/listeners.ts";
import {
  disconnectGradually,
  type GradualDisconnectOptions,
  isLastNode,
  keepDisconnecting,
} from "./gradual-disconnect.ts";

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
  readonly clock: Clock;
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
  #isLastNode = false;

  constructor(options: DrainControllerOptions) {
    this.#options = options;
    this.settings = options.settings;
  }

  /** Whether no other node took over what this one left; known when it has stopped. */
  get isLastNode(): boolean {
    return this.#isLastNode;
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
    const { clock, hub, nodeId, state } = this.#options;
    const deadlineMs = clock.monotonicMs() + this.settings.drainTimeoutS * 1000;
    await this.#disconnectAll();
    await this.#until(() => !this.#isOccupied, deadlineMs - clock.monotonicMs());
    await this.#settled();
    this.#isLastNode = await isLastNode(hub, nodeId);
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
    const { clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + withinMs;
    while (!isSo() && clock.monotonicMs() < deadlineMs) await Bun.sleep(5);
  }

  get #disconnectOptions(): Omit<DisconnectOptions, "connections"> {
    const { clock, hub } = this.#options;
    const { drainTimeoutS, drainSpreadS = Number.POSITIVE_INFINITY } = this.settings;
    return {
      disconnect: (one, why) => (one instanceof EndpointConnection ? one.disconnect(why) : hub.disconnect(one, why)),
      spreadMs: Math.min(drainSpreadS, drainTimeoutS / 2) * 1000,
      clock,
    };
  }

  async #disconnectAll(other: Partial<DisconnectOptions> = {}): Promise<void> {
    const { hub, endpoints } = this.#options;
    const connections = [...hub.connections(), ...endpoints.connections()];
    await disconnectGradually({ ...this.#disconnectOptions, connections, ...other });
  }
}
