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

export interface DrainControllerOptions {
  /** This node's id. */
  readonly id: string;
  readonly clock: Clock;
  readonly config: () => Pick<Config, "drainDelayS" | "drainTimeoutS" | "drainSpreadS">;
  readonly hub: () => Hub;
  readonly listener: () => Listeners;
  readonly endpoints: () => EndpointRegistry;
}

type DisconnectOptions = GradualDisconnectOptions<Connection | EndpointConnection>;

/** Whoever has asked nothing for so long asks no more, for all one can tell. */
const QUIET_MS = 100;
/** How long comings and goings may take to be written, and what is refused at the end to be answered. */
const SETTLE_MS = 1_000;

export class DrainController {
  readonly #options: DrainControllerOptions;
  #isStopping = false;
  #draining: AbortController | undefined;
  #isLastNode = false;
  #requests: "last" | "too late" | undefined;
  #askedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: DrainControllerOptions) {
    this.#options = options;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Those who are here have to leave, or will have to. */
  get isDraining(): boolean {
    return this.#isStopping || this.#draining !== undefined;
  }

  /** Whether no other node took over what this one left; known when it has stopped. */
  get isLastNode(): boolean {
    return this.#isLastNode;
  }

  /** What becomes of a request that comes now. */
  requestArrived(): "last" | "too late" | undefined {
    if (this.#requests) this.#askedAtMs = this.#options.clock.monotonicMs();
    return this.#requests;
  }

  /** Tells whoever is here, and whoever comes, to come back (4200): to another node. Goes on until it is switched off. */
  drain(isOn: boolean): void {
    if (!isOn) {
      this.#draining?.abort();
      this.#draining = undefined;
    } else if (!this.isDraining) {
      const { hub, endpoints } = this.#options;
      const clients = () => [...hub().connections()].filter(({ app }) => !isReserved(app));
      this.#draining = new AbortController();
      const here = () => [...clients(), ...endpoints().connections()];
      void keepDisconnecting({ ...this.#farewells, here, signal: this.#draining.signal });
    }
  }

  /** There is no time: whoever is here is told to come back in the same breath. */
  async abandon(): Promise<void> {
    this.#isStopping = true;
    await this.#sayFarewell({ spreadMs: 0, pause: () => Bun.sleep(0) });
  }

  /** It will end: so it says for a while, and goes on as before. */
  async beginStop(): Promise<void> {
    this.#isStopping = true;
    this.drain(false);
    const { drainDelayS } = this.#options.config();
    if (drainDelayS > 0) await Bun.sleep(drainDelayS * 1000);
    this.#requests = "last";
  }

  /** Says farewell over a part of the time there is, the rest of which is for their leaving. */
  async disconnectAll(): Promise<void> {
    const deadlineMs = this.#options.clock.monotonicMs() + this.#options.config().drainTimeoutS * 1000;
    await this.#sayFarewell();
    await this.#until(() => !this.#isOccupied, deadlineMs - this.#options.clock.monotonicMs());
    await this.#settled();
    this.#isLastNode = await isLastNode(this.#options.hub(), this.#options.id);
    this.#requests = "too late";
  }

  /** The hub has stopped, and what waited in it has failed. */
  async closeListeners(): Promise<void> {
    const listener = this.#options.listener();
    await this.#settled();
    await this.#until(() => listener.pendingRequests === 0, SETTLE_MS);
    void listener.stop(false);
    await listener.stop(true);
  }

  get #isOccupied(): boolean {
    const { pendingWebSockets, pendingRequests } = this.#options.listener();
    const isAsked = this.#options.clock.monotonicMs() - this.#askedAtMs < QUIET_MS;
    return pendingWebSockets + pendingRequests > 0 || isAsked || this.#options.endpoints().isBusy;
  }

  /** Comings and goings that are on their way to the engine, and to whoever observes them. */
  #settled(): Promise<void> {
    return this.#until(() => !this.#options.hub().background.isBusy, SETTLE_MS);
  }

  async #until(isSo: () => boolean, withinMs: number): Promise<void> {
    const { clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + withinMs;
    while (!isSo() && clock.monotonicMs() < deadlineMs) await Bun.sleep(5);
  }

  get #farewells(): Omit<DisconnectOptions, "connections"> {
    const { clock, config, hub } = this.#options;
    const { drainTimeoutS, drainSpreadS = Number.POSITIVE_INFINITY } = config();
    return {
      disconnect: (one, why) => (one instanceof EndpointConnection ? one.disconnect(why) : hub().disconnect(one, why)),
      spreadMs: Math.min(drainSpreadS, drainTimeoutS / 2) * 1000,
      clock,
    };
  }

  async #sayFarewell(other: Partial<DisconnectOptions> = {}): Promise<void> {
    const { hub, endpoints } = this.#options;
    const connections = [...hub().connections(), ...endpoints().connections()];
    await disconnectGradually({ ...this.#farewells, connections, ...other });
  }
}
