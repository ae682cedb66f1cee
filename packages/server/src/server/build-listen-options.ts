/** What the listeners ask about handshakes and requests, by the configuration: made again when that is reloaded. */

import type { App } from "../domain/app.ts";
import type { Disconnect } from "../domain/error.ts";
import { ipRules } from "../guards/ip.ts";
import type { Hub } from "../hub/hub.ts";
import { processFull } from "../hub/limits.ts";
import { pusherApi } from "../protocols/pusher/api.ts";
import { NodeLister, nodesRoute } from "./cluster/node-list.ts";
import { programRoute, requestMiddleware } from "./embed/program-route.ts";
import { apiOnOtherPort, apiRoute } from "./http/api-route.ts";
import { callerResolver } from "./http/caller.ts";
import { metricsRoute } from "./http/metrics-route.ts";
import { openApiRoute } from "./http/openapi-document.ts";
import { type ReadyState, readyRoute } from "./http/ready-route.ts";
import { type Route, router } from "./http/router.ts";
import { disconnectReason } from "./lifecycle/reload.ts";
import { demoRoute, startRoute } from "./pages/first-page.ts";
import type { Dependencies, Parts } from "./parts.ts";
import { eventsRoute } from "./streams/events.ts";
import { nativeStreamRoute } from "./streams/native-stream.ts";
import { pusherXhrRoute } from "./streams/pusher-xhr.ts";
import { Tickets } from "./streams/tickets.ts";
import { memoryFull } from "./system/memory-monitor.ts";
import { type AdmissionOptions, newConnectionId } from "./websocket/admission.ts";
import type { HandshakeOptions } from "./websocket/listen-options.ts";
import type { ListenersOptions } from "./websocket/listeners.ts";

type ListenParts = Omit<Parts, "listeners" | "heldWrites" | "drain" | "backend" | "rebalancer" | "clusterWatch">;

export function buildListenOptions(deps: Dependencies, parts: ListenParts): ListenersOptions {
  const { config, extensions } = deps;
  const { hub, apps, dashboard, drainState, ipConnectionLimiter, slowConsumers } = parts;
  const identify = callerResolver(config);
  const barrier = ipRules(config.allowIps, config.denyIps);
  const admission = admissionOptions(deps, parts);
  const dashboardEntry = dashboard.entry(config, identify, admission.native);
  const handshakes: HandshakeOptions = {
    config,
    hub,
    admission,
    identify,
    barrier,
    ...{ ipConnectionLimiter, slowConsumers },
    sharesPort: deps.sharesPort === true,
    dashboard: dashboardEntry,
    recheck: (connection) => disconnectReason(connection, apps, barrier),
    isDraining: () => drainState.areDoorsClosed,
    drainPhase: () => drainState.requestArrived(),
    endpoints: extensions.endpoints,
    middleware: extensions.middleware,
    capacityError: () => capacityError(deps, parts),
  };
  return { ...handshakes, streams: parts.streams, ...requestHandlers(deps, parts, handshakes) };
}

function admissionOptions({ config, clock }: Dependencies, { hub, apps, dashboard }: ListenParts): AdmissionOptions {
  const [pusher, recoveringPusher, native, ...further] = hub.protocols;
  if (!pusher || !recoveringPusher || !native) throw new Error("The hub has lost its protocols.");
  return {
    apps,
    defaultKey: config.apps[0]?.key ?? "",
    guards: hub.guardChain.all,
    pusher,
    recoveringPusher,
    native,
    further,
    clock,
    path: config.path,
    strictProtocol: config.strictProtocol,
    newId: () => newConnectionId(hub.nodeBus.number),
    wantsHeaders: dashboard.wantsHeaders,
    acquireQuota: (connection) => hub.quotas.acquireConnection(connection),
    failed: (error) => hub.observe({ type: "failed", error, during: "a WebSocket handshake" }),
  };
}

/** Ordinary HTTP: on the clients' port, and on the port that the API may have to itself. */
function requestHandlers(
  deps: Dependencies,
  parts: ListenParts,
  handshakes: HandshakeOptions,
): Pick<ListenersOptions, "handleRequest" | "handleApi"> {
  const { config, extensions: program, storage } = deps;
  const { hub, apps, drainState } = parts;
  const { path } = config;
  const { identify, dashboard } = handshakes;
  const bodyBytes = config.limits.httpBodyBytes;
  const failed = (error: unknown, during: string) => hub.observe({ type: "failed", error, during });
  const lister = new NodeLister(hub, deps.clock);
  const own: readonly Route[] = [
    readyRoute(path, () => readyState(parts)),
    metricsRoute({ config, identify, scrape: deps.scrape }),
    openApiRoute(path, config.openapi ?? config.mode === "development"),
    nodesRoute({ path, nodeUrl: config.nodeUrl, apps, defaultKey: config.apps[0]?.key ?? "", lister, failed }),
  ];
  const api = apiRoute({
    api: pusherApi({
      ...{ hub, apps, clock: deps.clock, pathPrefix: path, bodyBytes, step: storage.tracing?.call },
      signatureWindowS: config.signatureWindowS,
      jsonDepth: config.limits.jsonDepth,
      nodes: (app: App, strategy: string | null) => lister.list(app, strategy),
      answered: (status) => storage.metrics.apiAnswered(status),
    }),
    identify,
    metrics: storage.metrics,
    isApp: (id) => apps.knownById(id) !== undefined,
  });
  const around = requestMiddleware({ middleware: program.middleware, identify, failed });
  return {
    handleRequest: router({
      ...{ path, around, more: firstPage(deps) },
      api: config.tls?.api ? apiOnOtherPort(hub, identify) : api,
      own: [...own, dashboard.route, ...streamRoutes(deps, parts, handshakes)],
      program: programRoute({ program, bodyBytes, identify, draining: drainState.draining, failed }),
      hasProgram: () => program.fetch !== undefined,
    }),
    handleApi: router({ path, api, own, around, program: () => undefined, hasProgram: () => false, more: [] }),
  };
}

/** HTTP in place of a WebSocket. */
function streamRoutes(
  { config, extensions, clock }: Dependencies,
  { sessions, engine }: ListenParts,
  options: HandshakeOptions,
): Route[] {
  const { path, http } = config;
  const endOfToken = (app: App, token: string) => extensions.endOfToken(app, token);
  const tickets = new Tickets({ ledger: engine.ledger, clock, endOfToken });
  const native = { options, sessions, tickets, path };
  const hasProgram = () => extensions.fetch !== undefined;
  return [
    ...(http.pusher ? [pusherXhrRoute({ options, sessions, path, hasProgram })] : []),
    ...(http.native ? [eventsRoute(native), nativeStreamRoute(native)] : []),
  ];
}

/** A page at the printed address. It gets tokens only for the app that the server made itself: they let its visitors into all channels. */
function firstPage({ config, demoFile: secretFile }: Dependencies): Route[] {
  const { mode, path, apps, host } = config;
  const [app] = apps;
  if (mode !== "development") return [];
  const dashboard = config.dashboard.enabled ? config.dashboard.path : undefined;
  if (secretFile !== undefined && app !== undefined) return [demoRoute({ app, path, secretFile, host, dashboard })];
  return [startRoute({ path, dashboard })];
}

/** Whether load balancers should send clients here. */
export function readyState(
  parts: { hub: Pick<Hub, "health"> } & Pick<Parts, "memory" | "room" | "drainState">,
): ReadyState {
  const { hub, memory, room, drainState } = parts;
  return { isDraining: drainState.isDraining, keepsRunning: !drainState.isStopping, engine: hub.health, memory, room };
}

/** Where another socket would be one too many for the system, or for what is in memory already. */
function capacityError({ extensions }: Dependencies, { hub, memory }: ListenParts): Disconnect | undefined {
  if (memory.isFull) return memoryFull();
  const sockets = hub.connectionCount + extensions.endpoints.count;
  return sockets >= hub.limits.connections ? processFull(hub.limits) : undefined;
}
