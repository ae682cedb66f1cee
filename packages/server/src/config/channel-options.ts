/** What a program says about one channel, checked by the schema's channel rule. */

import type { ChannelRule } from "../domain/app.ts";
import { ConfigError, describeValue } from "./config-error.ts";
import type { ChannelRuleInput } from "./config-input.ts";
import { channelRule } from "./schema/app.ts";
import { type Path, settingAt, valueAt } from "./settings.ts";

/** What applies to one channel; what is left out is as the configuration says. */
export interface ChannelOptions extends Omit<ChannelRuleInput, "match"> {
  /** Another name for `maxSubscribers`. */
  readonly maxClients?: number | "unlimited";
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
  const defined = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const parsed = channelRule.safeParse({ ...defined, match: name });
  if (parsed.success && problems.length === 0) return parsed.data;
  const messages = (parsed.error?.issues ?? []).flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => `unknown option \`${[...issue.path, key].join(".")}\``)
      : [messageFor(issue.path, given, maxClients !== undefined)],
  );
  throw new ConfigError([...problems, ...messages].map((text) => `createChannel(${JSON.stringify(name)}): ${text}`));
}

function messageFor(path: Path, given: unknown, isAlias: boolean): string {
  const { expects } = settingAt(["defaults", "channels", 0, ...path]).setting;
  const name = isAlias && path[0] === "maxSubscribers" ? "maxClients" : path.join(".");
  return `\`${name}\` has to be ${expects}, but is ${describeValue(valueAt(given, path))}`;
}
