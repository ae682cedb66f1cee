/** Reads what a program says of one channel, by the table's rules and in its words. */

import type { z } from "zod";
import type { ChannelRule } from "../domain/app.ts";
import { ConfigError, describeValue } from "./config-error.ts";
import { channelRule } from "./schema/schema.ts";
import { factsOf, ownField, shapeOf } from "./settings.ts";

/** What applies to one channel; what is left out is as the configuration says. */
export interface ChannelOptions {
  /** Most connections that may subscribe. */
  readonly maxSubscribers?: number | "unlimited";
  /** The same by another name. */
  readonly maxClients?: number | "unlimited";
  /** Needs permission, whatever its name begins with. */
  readonly private?: boolean;
  /** Needs a connection that is signed in. */
  readonly auth?: boolean;
  readonly clientPublish?: "none" | "client-events" | "any";
  /** Of a cache channel. */
  readonly cacheTtlS?: number;
  /** What is kept of the channel: at most so many events (100), each for so many seconds (86400). */
  readonly history?: { readonly size?: number; readonly ttlS?: number };
  /** Keeps a history, as `history: {}` does. */
  readonly persistent?: boolean;
}

/** Throws ConfigError with one line for each problem. */
export function parseChannel(name: string, options: ChannelOptions): ChannelRule {
  const { maxClients, persistent, ...given }: Record<string, unknown> = { ...options };
  const problems: string[] = [];
  if (persistent !== undefined && typeof persistent !== "boolean") {
    problems.push(`\`persistent\` has to be true or false, but is ${describeValue(persistent)}`);
  }
  if (persistent === false && given.history !== undefined) {
    problems.push("a channel with `history` is `persistent`: leave one of them out");
  }
  if (persistent === true) given.history ??= {};
  if (maxClients !== undefined && given.maxSubscribers !== undefined) {
    problems.push("`maxClients` and `maxSubscribers` are the same: keep one of them");
  }
  if (maxClients !== undefined) given.maxSubscribers = maxClients;
  const parsed = channelRule.safeParse({ ...stripped(given), match: name });
  if (parsed.success && problems.length === 0) return parsed.data;
  const issues = parsed.success ? [] : parsed.error.issues;
  const sentences = issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => `unknown option \`${[...issue.path, key].join(".")}\``)
      : [sentenceFor(issue.path, given, maxClients !== undefined)],
  );
  throw new ConfigError([...problems, ...sentences].map((text) => `createChannel(${JSON.stringify(name)}): ${text}`));
}

/** What is undefined was not said. */
function stripped(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function sentenceFor(path: readonly PropertyKey[], given: Readonly<Record<string, unknown>>, isAlias: boolean): string {
  let node: z.core.$ZodType | undefined = channelRule;
  let value: unknown = given;
  for (const step of path) {
    node = ownField(node && shapeOf(node), String(step));
    value = typeof value === "object" && value !== null ? Reflect.get(value, step) : undefined;
  }
  const accepts = node ? factsOf(node).expects : "something else";
  const name = isAlias && path[0] === "maxSubscribers" ? "maxClients" : path.join(".");
  return `\`${name}\` has to be ${accepts}, but is ${describeValue(value)}`;
}
