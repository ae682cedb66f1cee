/** Names of other servers that are not read, why, and when that is worth a warning: where something would be otherwise than it was. */

import { describeValue } from "../config-error.ts";
import { parseBoolean, parseNumber } from "../parse-value.ts";
import { schema } from "../schema/schema.ts";
import { defaultOf } from "../settings.ts";
import { type Environment, readVariable } from "./environment.ts";
import { foreignVariables } from "./foreign-variables.ts";

interface IgnoredVariables {
  readonly names: readonly string[];
  readonly why: string;
  /** Whether such a value asks for something that is not done; without it, none does. */
  readonly asks?: (text: string, env: Environment) => boolean;
}

const always = () => true;
const isOn = (text: string) => parseBoolean(text) === true;

export const ignoredVariables: readonly IgnoredVariables[] = [
  {
    names: [
      "PUSHER_HOST",
      "PUSHER_PORT",
      "PUSHER_SCHEME",
      "PUSHER_APP_CLUSTER",
      "REVERB_HOST",
      "REVERB_PORT",
      "REVERB_SCHEME",
      "LARAVEL_WEBSOCKETS_HOST",
    ],
    why: "They tell back ends and pages where to find the server. Where it listens is `host` and `port`.",
  },
  {
    names: ["REVERB_APP_PING_INTERVAL"],
    why: "The server asks who is silent when clients would, after `activityTimeoutS`, which comes from `REVERB_APP_ACTIVITY_TIMEOUT`.",
    asks: (text, env) =>
      (parseNumber(text) ?? 0) <
      Number(readVariable("REVERB_APP_ACTIVITY_TIMEOUT", env) ?? defaultOf(schema.shape.activityTimeoutS)),
  },
  {
    names: ["REVERB_APP_RATE_LIMITING_ENABLED"],
    why: "Rates are counted per second: `clientEventsPerSecond` and `framesPerSecond` of the app's `limits`.",
    asks: isOn,
  },
  {
    names: [
      "REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS",
      "REVERB_APP_RATE_LIMIT_DECAY_SECONDS",
      "REVERB_APP_RATE_LIMIT_TERMINATE",
    ],
    why: "As `REVERB_APP_RATE_LIMITING_ENABLED`, without which they say nothing.",
  },
  {
    names: ["SOKETI_DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SEC", "SOKETI_DEFAULT_APP_MAX_READ_REQ_PER_SEC"],
    why: "One limit counts all calls of the HTTP API: `apiRequestsPerSecond` of the app's `limits`.",
    asks: (text) => parseNumber(text) !== -1,
  },
  {
    names: ["SOKETI_CHANNEL_CACHE_TTL"],
    why: "How long cache channels keep their event is said by a channel rule: `cacheTtlS`.",
    asks: always,
  },
  {
    names: ["SOKETI_MODE"],
    why: "There are no processes for webhooks alone: each server sends its own.",
    asks: (text) => text !== "full",
  },
  {
    names: ["SOKETI_CORS_ALLOWED_ORIGINS"],
    why: "The HTTP API is for back ends. Which pages may connect is said by `allowedOrigins`.",
    asks: (text) => !/^(\["\*"\]|\*)$/.test(text.trim()),
  },
  {
    names: ["SOKETI_APP_MANAGER_DRIVER"],
    why: "Apps are those of the configuration and of `database.url`, whose tables are Fanfare's own: bring them over with `fanfare apps add`.",
    asks: (text) => text !== "array",
  },
  {
    names: ["SOKETI_ADAPTER_REDIS_CLUSTER_MODE"],
    why: "`redis.cluster`, the list of nodes, switches it on.",
    asks: (text, env) => isOn(text) && readVariable("SOKETI_DB_REDIS_CLUSTER_NODES", env) === undefined,
  },
  {
    names: ["SOKETI_METRICS_SERVER_PORT"],
    why: "`/metrics` is on the server's own port; `metrics.allowIps` and `metrics.token` say for whom.",
    asks: always,
  },
  {
    names: ["SOKETI_WEBHOOKS_BATCHING"],
    why: "Each webhook says it for itself: `batch`.",
    asks: isOn,
  },
  {
    names: ["SOCKUDO_DEFAULT_APP_ID", "SOCKUDO_DEFAULT_APP_KEY", "SOCKUDO_DEFAULT_APP_SECRET"],
    why: "Sockudo's names are not read: `PUSHER_APP_ID`, `PUSHER_APP_KEY` and `PUSHER_APP_SECRET` make the app.",
    asks: always,
  },
];

/** A sentence for each variable that asks for something that is not done. */
export function warnAboutIgnored(env: Environment): string[] {
  const known = ignoredVariables.flatMap(({ names, why, asks }) =>
    names.flatMap((name) => {
      const text = readVariable(name, env);
      return text !== undefined && asks?.(text, env) ? [`${name} is set, but not obeyed: ${why}`] : [];
    }),
  );
  const partly = foreignVariables.flatMap(({ name, conversion }) => {
    const text = readVariable(name, env);
    const why = text === undefined ? undefined : conversion?.leavesOut?.(text);
    return why === undefined
      ? []
      : [`${name} is ${describeValue(text, conversion?.secret)}, and not obeyed so: ${why}`];
  });
  return [...known, ...partly];
}
