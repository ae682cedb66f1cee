/** Which node a client should go to: the nodes of the cluster that take clients, in an order, signed so that the list can be passed on. */

import type { App } from "../../domain/app.ts";
import { CommandError } from "../../domain/error.ts";
import type { AppStore, Clock, NodeState } from "../../domain/ports.ts";
import { errorResponse, errorResponseFor, isKnownError } from "../../http/error-response.ts";
import type { Hub } from "../../hub/hub.ts";
import { sign } from "../../hub/signature.ts";
import { getRoute, type Route } from "../http/router.ts";
import { NodeStates, takesClients } from "./node-states.ts";

export const STRATEGIES = ["round_robin", "random", "least_connections"] as const;

export type Strategy = (typeof STRATEGIES)[number];

/** An address that clients are sent to: one node, or the workers of one machine, which share it. */
export interface Destination {
  /** The host, with the port where it is not the usual one. */
  readonly name: string;
  readonly url: string;
  readonly connections: number;
  /** How late timers run there, in milliseconds: of several workers, the worst. */
  readonly lagMs: number;
}

export interface NodeList {
  /** The key of the app whose secret signed it. */
  readonly app: string;
  readonly strategy: Strategy;
  /** The one to go to first. */
  readonly nodes: readonly Destination[];
  /** Unix seconds. */
  readonly expiresAt: number;
  /** HMAC-SHA256 of `nodesText`, in lower-case hex. */
  readonly signature: string;
}

const VALID_S = 30;

export class NodeLister {
  /** Unsigned requests must not reach the engine each time. */
  readonly #states: NodeStates;
  readonly #clock: Clock;
  readonly #random: () => number;
  #turn: number;

  /** `random` is from 0 to 1. */
  constructor(hub: Pick<Hub, "nodes">, clock: Clock, random: () => number = Math.random) {
    this.#states = new NodeStates(hub, clock);
    this.#clock = clock;
    this.#random = random;
    // Nodes that start together do not begin with the same one.
    this.#turn = Math.floor(random() * 1_000);
  }

  /** Throws CommandError: `data_invalid` where there is no such strategy, `engine_unavailable`. */
  async list(app: App, asked: string | null): Promise<NodeList> {
    const strategy = strategyOf(asked);
    const nodes = this.#ordered(destinationsOf(await this.#states.read()), strategy);
    const expiresAt = Math.floor(this.#clock.wallMs() / 1000) + VALID_S;
    const list = { app: app.key, strategy, nodes, expiresAt };
    return { ...list, signature: sign(app.secrets[0], nodeListText(list)) };
  }

  #ordered(nodes: readonly Destination[], strategy: Strategy): readonly Destination[] {
    switch (strategy) {
      case "round_robin": {
        const first = nodes.length === 0 ? 0 : this.#turn++ % nodes.length;
        return [...nodes.slice(first), ...nodes.slice(0, first)];
      }
      case "random":
        return this.#shuffled(nodes);
      case "least_connections":
        // Of equals any may be the first, or all who ask within a second would go to one.
        return this.#shuffled(nodes).toSorted((one, other) => one.connections - other.connections);
    }
  }

  #shuffled(nodes: readonly Destination[]): readonly Destination[] {
    return nodes
      .map((node) => ({ node, at: this.#random() }))
      .sort((one, other) => one.at - other.at)
      .map(({ node }) => node);
  }
}

/** What is signed: a line each for what it is, the key, the strategy, the end, and each node with its load. */
export function nodeListText({ app, strategy, expiresAt, nodes }: Omit<NodeList, "signature">): string {
  const lines = nodes.map(({ url, connections, lagMs }) => `${url} ${connections} ${lagMs}`);
  return ["fanfare-nodes", app, strategy, expiresAt, ...lines].join("\n");
}

/** Those that say where they are, live, and take clients; by address, so that all nodes begin with the same order. */
export function destinationsOf(states: readonly NodeState[]): readonly Destination[] {
  const found = new Map<string, Destination>();
  for (const state of states) {
    const { url, connections, lagMs } = state;
    if (url === undefined || !takesClients(state)) continue;
    const known = found.get(url) ?? { name: hostOf(url), url, connections: 0, lagMs: 0 };
    const sum = { connections: known.connections + connections, lagMs: Math.max(known.lagMs, Math.round(lagMs)) };
    found.set(url, { ...known, ...sum });
  }
  return [...found.values()].sort((one, other) => (one.url < other.url ? -1 : 1));
}

function strategyOf(asked: string | null): Strategy {
  const strategy = STRATEGIES.find((each) => each === (asked ?? STRATEGIES[0]));
  if (strategy) return strategy;
  const message = `Invalid load balancing strategy ${JSON.stringify(asked)}: there are ${STRATEGIES.join(", ")}.`;
  throw new CommandError("data_invalid", message);
}

function hostOf(url: string): string {
  return URL.parse(url)?.host ?? url;
}

export interface NodesRouteOptions {
  /** In front of every path. */
  readonly path: string;
  /** Where clients reach this node. Without it nothing answers here, and the path is the program's. */
  readonly nodeUrl: string | undefined;
  readonly apps: AppStore;
  /** Key of the app that is meant where none is named. */
  readonly defaultKey: string;
  readonly lister: NodeLister;
  readonly failed: (error: unknown, during: string) => void;
}

/** Pages of other origins may read it: it is public, and says nothing of who asks. */
const HEADERS = { "Cache-Control": "no-store", "Access-Control-Allow-Origin": "*" };

/** `/nodes`: where a client that has not connected yet should go. For everybody; back ends that are handed it check its signature. */
export function nodesRoute(options: NodesRouteOptions): Route {
  if (options.nodeUrl === undefined) return () => undefined;
  return getRoute(options.path, "/nodes", (_request, { searchParams }) => listNodes(options, searchParams));
}

async function listNodes({ apps, defaultKey, lister, failed }: NodesRouteOptions, query: URLSearchParams) {
  try {
    const app = await apps.byKey(query.get("app") ?? defaultKey);
    if (!app) return errorResponse(404, "app_unknown", "There is no app with this key.", HEADERS);
    if (!app.enabled) return errorResponse(403, "app_disabled", "The app is disabled.", HEADERS);
    return Response.json(await lister.list(app, query.get("strategy")), { headers: HEADERS });
  } catch (error) {
    if (!isKnownError(error)) failed(error, "listing nodes");
    return errorResponseFor(error, HEADERS);
  }
}
