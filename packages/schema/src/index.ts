/**
 * `@fanfare/schema`: one declaration of an application's events, for the client, the publisher and the server. Any library that
 * follows Standard Schema may check the data (Zod, Valibot, ArkType and others).
 */

export {
  type Checker,
  createChecker,
  describeIssues,
  type Issue,
  type Problem,
  type Validation,
  validate,
} from "./checker.ts";
export {
  type AnyDeclaration,
  type CallInput,
  type CallName,
  type CallOutput,
  type CallSchemas,
  type ChannelName,
  type Declaration,
  defineEvents,
  type EventData,
  type EventName,
  type EventSchemas,
  type HandlerInput,
  type HandlerOutput,
  type MemberInfo,
  type MemberState,
  type Schema,
  type UserEventData,
  type UserEventName,
  unchecked,
} from "./declaration.ts";
export type { SchemaInput, SchemaOutput, StandardIssue, StandardResult, StandardSchema } from "./standard-schema.ts";
