/**
 * `@fanfare/schema`: one declaration of an application's events, for the client, the publisher and the server. Any library that
 * follows Standard Schema may check the data (Zod, Valibot, ArkType and others).
 */

export {
  type AnyDeclaration,
  type CallInput,
  type CallName,
  type CallOutput,
  type ChannelName,
  type Declaration,
  defineEvents,
  type EventData,
  type EventInput,
  type EventName,
  type MemberInfo,
  type Schema,
  type UserEventData,
  type UserEventName,
} from "./declaration.ts";
