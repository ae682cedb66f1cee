/** `@fanfare/client`: the client for browsers, Node 22 and newer (20 with `ws`), Bun, Deno, workers and React Native. */

export { type ClientErrorCode, FanfareError, type FanfareErrorDetails } from "./errors.ts";
export type { Transport, TransportRequest, TransportSocket } from "./transport.ts";
export type * from "./types.ts";
