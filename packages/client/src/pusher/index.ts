/** `@fanfare/client/pusher`: lossless reconnects, and permission for all channels in one request, for pusher-js and Laravel Echo. */

export { type BatchAuthorizerOptions, batchAuthorizer } from "./batch-authorizer.ts";
export { recover } from "./recover.ts";
export type { GapReason, RecoverOptions } from "./session.ts";
