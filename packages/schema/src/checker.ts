/** Checks names and data by a declaration: the same in the client, the publisher and the server. */

import type { Declaration, EventSchemas, Schema } from "./declaration.ts";
import type { SchemaOutput, StandardIssue } from "./standard-schema.ts";

/** One thing that is wrong with some data. */
export interface Issue {
  /** Where: `items[0].price`; empty for the data as a whole. */
  readonly path: string;
  /** In the words of the schema's library. */
  readonly message: string;
}

export type Validation<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly value?: undefined; readonly issues: readonly Issue[] };

/** Why an event contradicts the declaration: that has no such channel, no such event in it, or the data are wrong. */
export interface Problem {
  readonly code: "channel_invalid" | "event_invalid" | "data_invalid";
  /** A sentence, with the path of what is wrong. */
  readonly message: string;
  /** Of `data_invalid`. */
  readonly issues: readonly Issue[];
}

/** Each answers undefined if the event is as declared. They throw a TypeError if a schema is asynchronous. */
export interface Checker {
  channelEvent(channel: string, event: string, data: unknown): Problem | undefined;
  userEvent(event: string, data: unknown): Problem | undefined;
}

const MOST_CHARACTERS = 500;

/** Checks data by one schema. Throws a TypeError if the schema is asynchronous. */
export function validate<S extends Schema>(schema: S, data: unknown): Validation<SchemaOutput<S>> {
  const result = schema["~standard"].validate(data);
  if ("then" in result) {
    result.then(undefined, () => {});
    const { vendor } = schema["~standard"];
    throw new TypeError(
      `A schema (${vendor}) is asynchronous, or its own code throws: events need one that answers at once.`,
    );
  }
  return result.issues ? { issues: result.issues.map(issueOf) } : { value: result.value };
}

/** `sum: expected a number; …`, cut to a bounded length: libraries quote what they were given. */
export function describeIssues(issues: readonly Issue[]): string {
  const text = issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ");
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}

export function createChecker({ channels, user }: Declaration): Checker {
  const patterns = Object.entries(channels ?? {})
    .filter(([name]) => name.includes("*"))
    .map(([name, events]) => ({ expression: expressionOf(name), events }));
  return {
    channelEvent(channel, event, data) {
      if (!channels) return undefined;
      const exact = own(channels, channel);
      const declared = exact ? [exact] : patterns.filter((it) => it.expression.test(channel)).map((it) => it.events);
      if (declared.length > 0) return problemOf(declared, event, data, channel);
      return { code: "channel_invalid", message: `The channel ${channel} is not declared.`, issues: [] };
    },
    userEvent: (event, data) => (user ? problemOf([user], event, data, "users") : undefined),
  };
}

function problemOf(
  declared: readonly EventSchemas[],
  event: string,
  data: unknown,
  place: string,
): Problem | undefined {
  const schemas = declared.flatMap((events) => own(events, event) ?? own(events, "*") ?? []);
  if (schemas.length === 0) {
    return { code: "event_invalid", message: `The event ${event} is not declared for ${place}.`, issues: [] };
  }
  const issues = schemas.flatMap((schema) => validate(schema, data).issues ?? []);
  if (issues.length === 0) return undefined;
  const message = `The data of ${event} for ${place} are invalid: ${describeIssues(issues)}`;
  return { code: "data_invalid", message, issues };
}

/** Names come from clients: `constructor` is none that was declared. */
function own<T>(values: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function expressionOf(pattern: string): RegExp {
  return new RegExp(`^${pattern.replace(/[^\w*]/g, "\\$&").replaceAll("*", ".*")}$`);
}

function issueOf({ path = [], message }: StandardIssue): Issue {
  const keys = path.map((step) => (typeof step === "object" ? step.key : step));
  const text = keys.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
  return { path: text.replace(/^\./, ""), message };
}
