/** `@fanfare/client`: the client for browsers, Node 22 and newer (20 with `ws`), Bun, Deno, workers and React Native. */

export { type AuthorizeMany, batchAuthorizer } from "./batch-authorizer.ts";
export { createClient } from "./client.ts";
export { type ClientErrorCode, FanfareError, type FanfareErrorDetails } from "./errors.ts";
export { type IterateOptions, iterate } from "./iterate.ts";
export { createLive } from "./live.ts";
export { type NodeStrategy, type NodesOptions, nodes } from "./nodes.ts";
export { updatePresence } from "./presence-state.ts";
export type { Rewind, Rewound } from "./rewind.ts";
export { type SessionPositionsOptions, sessionPositions } from "./session-positions.ts";
export type { Transport, TransportRequest, TransportSocket, WebSocketConstructor } from "./transport.ts";
export type * from "./tuning.ts";
export type * from "./types.ts";
export { webSocket } from "./web-socket.ts";
