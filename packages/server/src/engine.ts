/** `fanfare/engine`: what an engine is made of. `fanfare/testing` has the tests that every engine passes. */

export { isInternal } from "./domain/channel.ts";
export { CommandError, type CommandErrorCode } from "./domain/error.ts";
export type {
  CountPublication,
  EventPublication,
  JoinedPublication,
  LeftPublication,
  Member,
  MemberUpdate,
  Position,
  PresenceMember,
  Publication,
  PublishTime,
  PurgeRange,
  Sender,
  UpdatedPublication,
  UserPublication,
} from "./domain/message.ts";
export { type MessageId, markSeen, type SeenNumbers, wasSeen } from "./domain/message-id.ts";
export type {
  Awaitable,
  Broker,
  ChannelSummary,
  Clock,
  Engine,
  EngineContext,
  EngineFactory,
  EngineHealth,
  EngineHost,
  HistoryPage,
  HistoryPolicy,
  HistoryQuery,
  IdempotencyKey,
  JoinResult,
  LeaveResult,
  Ledger,
  NodeReport,
  NodeState,
  PresenceEntry,
  PresenceUpdate,
  PurgeResult,
  Registry,
  RegistryChange,
  StoredEvent,
} from "./domain/ports.ts";
export { joinPublication, leavePublication, updatedMember, updatePublication } from "./domain/presence-publications.ts";
export { messageOf } from "./domain/thrown.ts";
export { parseUserInfo, userInfoJson } from "./domain/user-info.ts";
export { listChannels } from "./engines/shared/channels.ts";
export { HEARTBEAT_INTERVAL_MS, HEARTBEAT_LOST, Heartbeat } from "./engines/shared/heartbeat.ts";
export { type KeptEvent, type KeptLog, purgeLog, readPage } from "./engines/shared/kept-log.ts";
export { NotSentError, type Pending, PendingBudget, type PendingLimits } from "./engines/shared/pending.ts";
export {
  asArray,
  asNumber,
  asRecord,
  asString,
  erasedEvent,
  parseCount,
  parseMemberFields,
  parseObject,
  parsePublication,
  publicationFields,
} from "./engines/shared/publication-codec.ts";
export {
  ReconnectingConnection,
  type ReconnectingConnectionOptions,
} from "./engines/shared/reconnecting-connection.ts";
export { eventBytes, RetentionBudget } from "./engines/shared/retention-budget.ts";
export { Ring } from "./engines/shared/ring.ts";
export { readSettingFile } from "./server/cluster/read-setting-file.ts";
