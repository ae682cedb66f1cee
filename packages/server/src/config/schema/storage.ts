/** The part of the table that is about what is kept, and who is told: the database, webhooks. */

import { z } from "zod";
import { WEBHOOK_EVENTS } from "../../domain/app.ts";
import {
  addresses,
  boolean,
  integer,
  optionalBoolean,
  optionalText,
  ratio,
  requiredText,
  seconds,
  settingInfo,
  text,
} from "./fields.ts";

const list = { parse: "json" } as const;

const ADDRESS = { pattern: /^https?:\/\/[^\s/]/, isUrl: true, expects: "an http:// or https:// address" } as const;

const eventName = z.enum(WEBHOOK_EVENTS).register(settingInfo, {
  description: "A kind of event.",
  expects: `one of ${WEBHOOK_EVENTS.join(", ")}`,
  parse: "text",
});

/** One receiver of an app's webhooks. */
export const webhook = z
  .strictObject({
    url: requiredText("Where the events are posted.", ADDRESS),
    events: z
      .array(eventName)
      .min(1)
      .exactOptional()
      .register(settingInfo, {
        ...list,
        description: "The kinds of event it is told; all, where not given.",
        expects: `a list of one or more of ${WEBHOOK_EVENTS.join(", ")}`,
      }),
    channels: z
      .strictObject({
        prefix: optionalText("How the channel's name begins."),
        suffix: optionalText("How the channel's name ends."),
        pattern: optionalText("The channel's name, with `*` for any run and `?` for one character."),
      })
      .exactOptional()
      .register(settingInfo, {
        ...list,
        description: "The channels it is told of; all of what is given has to fit.",
        expects: "an object with `prefix`, `suffix` or `pattern`",
      }),
    headers: z
      .record(z.string().regex(/^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/), z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/))
      .exactOptional()
      .register(settingInfo, {
        ...list,
        description: "Headers that are sent along.",
        expects: "an object of header names and their text",
        secret: true,
      }),
    batch: optionalBoolean("Several events in one request, where more than one waits."),
  })
  .register(settingInfo, { ...list, description: "One receiver.", expects: "an object with `url`" });

export const database = z
  .strictObject({
    url: optionalText(
      "Where apps, statistics and webhooks are kept: `sqlite:FILE`, `postgres://…` or `mysql://…`. Without it, `fanfare serve` uses `fanfare.db` in `stateDir`, and a program keeps nothing.",
      {
        secret: true,
        pattern: /^(sqlite:.+|(postgres(ql)?|mysql|mariadb):\/\/.+)$/,
        isUrl: true,
        expects: '"sqlite:FILE", "postgres://…" or "mysql://…", with what is special in the password encoded',
      },
    ),
    migrate: optionalBoolean(
      "The tables are brought up to date at the start. Without it, only in a file of our own: otherwise `fanfare migrate` does it.",
    ),
  })
  .prefault({})
  .register(settingInfo, {
    ...list,
    description: "Where things are kept that outlive the process.",
    expects: "an object",
  });

export const statistics = z
  .strictObject({
    enabled: boolean("Statistics are kept, where there is a database.", true),
    intervalS: seconds("How often the numbers are written down, in seconds.", 60, 1),
    keepDays: integer("Age at which they are forgotten, in days.", 90),
  })
  .prefault({})
  .register(settingInfo, {
    ...list,
    description: "What each app did, by the interval, the hour and the day.",
    expects: "an object",
  });

export const audit = z
  .strictObject({ keepDays: integer("Age at which entries are forgotten, in days.", 365) })
  .prefault({})
  .register(settingInfo, {
    ...list,
    description: "Who did what through the dashboard, where there is a database.",
    expects: "an object",
  });

export const metrics = z
  .strictObject({
    enabled: boolean("`/metrics` answers.", true),
    allowIps: addresses(
      "Addresses that may read them without the token. Behind a proxy that is not in `trustedProxies` nobody may.",
      ["loopback", "private"],
    ),
    token: optionalText("Lets anybody read them who sends it as `Authorization: Bearer`.", { secret: true }),
    soketiNames: boolean("The numbers have soketi's names as well, for dashboards that were made for it.", false),
  })
  .prefault({})
  .register(settingInfo, { ...list, description: "The server's numbers for Prometheus.", expects: "an object" });

export const tracing = z
  .strictObject({
    endpoint: optionalText(
      "Where an OpenTelemetry collector takes traces (OTLP over HTTP, JSON), `http://127.0.0.1:4318`. Without it nothing is traced.",
      ADDRESS,
    ),
    serviceName: text("What the server is called in traces.", "fanfare"),
    sampleRatio: ratio("Which part of traces that begin here is recorded: 0 for none at all, 1 for all.", 0.01),
    headers: z
      .record(z.string(), z.string())
      .default({})
      .register(settingInfo, {
        ...list,
        description: "Headers for the collector.",
        expects: "an object of header names and their text",
        secret: true,
      }),
  })
  .prefault({})
  .register(settingInfo, { ...list, description: "OpenTelemetry traces.", expects: "an object" });

export const webhooks = z
  .strictObject({
    timeoutS: seconds("Time a receiver has to answer, in seconds.", 10, 0.1),
    retryForS: seconds(
      "Time over which an event is tried again, at growing intervals, before it is a dead letter, in seconds.",
      300,
    ),
    keepDays: integer("Age at which dead letters are forgotten, in days.", 30),
    leaveDelayS: seconds(
      "Time that channel_vacated and member_removed are held back, and dropped if undone, in seconds.",
      3,
      0,
    ),
    allowPrivate: boolean("Receivers may have private addresses, and be on this machine.", false),
  })
  .prefault({})
  .register(settingInfo, { ...list, description: "How receivers are told.", expects: "an object" });
