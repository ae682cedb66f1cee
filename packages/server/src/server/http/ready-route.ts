/** `/ready`: whether load balancers should send clients here. `/health` says only that the process lives. */

import type { EngineHealth } from "../../domain/ports.ts";
import { getRoute, type Route } from "./router.ts";

/** Why it is not ready, for programs and for people. */
export interface UnreadyReason {
  readonly code: "draining" | "engine_unavailable" | "memory_full" | "connections_full";
  readonly message: string;
}

export interface ReadyState {
  readonly isDraining: boolean;
  /** It goes on, without clients. */
  readonly keepsRunning?: boolean;
  readonly engine: EngineHealth;
  readonly memory: { readonly isFull: boolean; readonly usedBytes: number; readonly markBytes: number };
  /** Absent in a process that has no clients. */
  readonly room?: { readonly isFull: boolean; readonly load: { readonly connections: number; readonly limit: number } };
}

/** Empty where all is well. */
export function unreadyReasons({
  isDraining,
  keepsRunning,
  engine,
  memory,
  room,
}: ReadyState): readonly UnreadyReason[] {
  const reasons: UnreadyReason[] = [];
  const message = keepsRunning ? "The node sends its clients to other nodes." : "The server is shutting down.";
  if (isDraining) reasons.push({ code: "draining", message });
  if (!engine.reachable) reasons.push({ code: "engine_unavailable", message: engine.why });
  if (memory.isFull) {
    const message = `The process uses ${memory.usedBytes} bytes, more than its mark of ${Math.floor(memory.markBytes)}.`;
    reasons.push({ code: "memory_full", message });
  }
  if (room?.isFull) {
    const { connections, limit } = room.load;
    const message = `The node has ${connections} of at most ${limit} connections, and another node has room.`;
    reasons.push({ code: "connections_full", message });
  }
  return reasons;
}

export function readyRoute(prefix: string, state: () => ReadyState): Route {
  // The second is soketi's and Sockudo's name.
  return getRoute(prefix, ["/ready", "/accept-traffic"], () => {
    const reasons = unreadyReasons(state());
    const headers = { "Cache-Control": "no-store" };
    if (reasons.length === 0) return Response.json({ status: "ready" }, { headers });
    return Response.json({ status: "unready", reasons }, { status: 503, headers: { ...headers, "Retry-After": "1" } });
  });
}
