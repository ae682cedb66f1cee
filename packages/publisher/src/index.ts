/**
 * `@fanfare/publisher`: the back end's side of Fanfare, with `fetch` and WebCrypto only. It runs in Node 20 and newer, Bun, Deno and
 * workers.
 */

export type { ChannelInfo, ChannelMember, DeclaredHistory, History, HistoryEvent, Position } from "./answers.ts";
export type { Authorization, AuthorizeAnswer, AuthorizeOptions, Denied, Member, SignInUser } from "./authorization.ts";
export type { BatchEvent } from "./batches.ts";
export { PublisherError, type PublisherErrorDetails } from "./errors.ts";
export type { NodeAddress, NodeList, NodeStrategy } from "./nodes.ts";
export type { HistoryOptions, PurgeRange } from "./past.ts";
export {
  type BatchOptions,
  createPublisher,
  type Publisher,
  type PublisherOptions,
  type PublishOptions,
  type PublishResult,
  type PurgeOptions,
} from "./publisher.ts";
export type { ServerOptions } from "./server-options.ts";
export {
  type ChannelSteering,
  type ConnectionInfo,
  type ConnectionPage,
  type ConnectionQuery,
  type ConnectionSteering,
  createSteering,
  type KickOptions,
  type Reached,
  type ReconnectOptions,
  type Steering,
  type SteerOptions,
  type SubscribeOptions,
  type UserSteering,
} from "./steering.ts";
export type { StreamEvent, StreamOptions, StreamResult } from "./stream.ts";
export type { TokenClaims } from "./token.ts";
export type { RawWebhook, Webhook, WebhookEvent } from "./webhook.ts";
