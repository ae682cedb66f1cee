/** The settings of one app, those that every app inherits from `defaults`, and its channel rules, tokens and webhooks. */

import * as z from "zod/mini";
import { WEBHOOK_EVENTS } from "../../domain/app.ts";
import {
  boolean,
  HEADER_NAME,
  HEADER_VALUE,
  headers,
  integer,
  limit,
  list,
  nonEmptyList,
  object,
  oneOf,
  optional,
  origins,
  seconds,
  section,
  settingInfo,
  text,
  WEB_ADDRESS,
  withDefault,
  withoutDefaults,
} from "./fields.ts";
import { appHooks } from "./hooks.ts";
import { appLimits } from "./limits.ts";

/** A week: what has to be kept longer belongs in a database. */
const MAX_HISTORY_TTL_S = 7 * 86_400;

const history = object(
  "What is kept of the channel, so that clients of the native protocol can resume and the API can read it.",
  {
    size: integer("Most events that are kept of one such channel.", 1, 10_000).apply(withDefault, 100),
    ttlS: seconds("Time each of them is kept, in seconds.", 0.001, MAX_HISTORY_TTL_S).apply(withDefault, 86_400),
  },
  "an object with `size` and `ttlS`, both optional",
);

/** As long as pusher-js may take to notice a dead line and to reconnect, twice. */
const RECOVERY_TTL_S = 300;

const recovery = {
  enabled: boolean(
    "All channels keep what was published last, so that clients that recover get what they missed: cache channels, and those with a `history` of their own, aside.",
  ).apply(withDefault, false),
  size: integer("Most events that are kept of one channel.", 1, 10_000).apply(withDefault, 100),
  ttlS: seconds("Time each of them is kept, in seconds.", 0.001, 3_600).apply(withDefault, RECOVERY_TTL_S),
  bytes: integer("Most bytes that all channels of the app keep together; the oldest events go first.", 1_024).apply(
    withDefault,
    64 * 1024 * 1024,
  ),
};

export const channelRule = object(
  "What applies to the channels of one pattern.",
  {
    match: text("Names the channels the rule is for: a full name, or a pattern with `*` (any run) and `?` (one)."),
    clientPublish: oneOf("What subscribed clients may publish: nothing, `client-…` events, or any event.", [
      "none",
      "client-events",
      "any",
    ]).apply(optional),
    cacheTtlS: seconds("Time a cache channel keeps its last event, in seconds.", 0.001, Number.MAX_SAFE_INTEGER).apply(
      optional,
    ),
    maxSubscribers: limit("Most connections that may subscribe to one such channel.").apply(optional),
    private: boolean(
      "Subscribing needs permission, as in channels whose name begins with `private-`; those need it in any case.",
    ).apply(optional),
    auth: boolean("Subscribing needs a connection that is signed in.").apply(optional),
    history: history.apply(optional),
    rewind: object(
      "The last events that each new subscriber is sent, of any protocol, where it does not say itself what it wants of the past. Needs `history`.",
      { count: integer("How many.", 1, 1_000) },
      "an object with `count`",
    ).apply(optional),
    clientHistory: boolean(
      "Subscribers of the native protocol may read what is kept of the channel: by time as well if true, and only by resuming if false. Without it, by position.",
    ).apply(optional),
    recovery: boolean(
      "Whether the app's `recovery` is for these channels, where they have no `history`. Without it, it is.",
    ).apply(optional),
  },
  "an object with `match`",
);

const switches = {
  clientEvents: boolean("Clients may publish `client-…` events in private and presence channels.").apply(
    withDefault,
    false,
  ),
  subscriptionCounts: boolean("Subscribers of channels without presence are sent how many they are.").apply(
    withDefault,
    false,
  ),
  anonymous: boolean("Clients of the native protocol may connect without a token.").apply(withDefault, false),
  requireTls: boolean("Connections that did not come over TLS are refused.").apply(withDefault, false),
  requireAuthentication: boolean(
    "Connections that neither sign in nor join a private channel in time are closed.",
  ).apply(withDefault, false),
  allowMissingOrigin: boolean(
    "Clients that send no Origin header may connect. Browsers always send one; phones and services do not.",
  ).apply(withDefault, true),
  statistics: boolean("What the app does is counted and kept, where `statistics` are.").apply(withDefault, true),
  replayProtection: boolean(
    "A signed API call counts once: the same one again within `signatureWindowS` is refused (401), even if meant.",
  ).apply(withDefault, false),
};

const allowedOrigins = origins(
  "Webpages that may connect; empty for all. `https://a.example` is one origin, `a.example` a host with any scheme and port, `*.a.example` the hosts below it.",
);

const CHANNEL_RULES = "a list of channel rules";

export const defaults = section("What every app takes unless it says otherwise.", {
  ...switches,
  limits: section("The limits of each app.", appLimits),
  recovery: section("What all channels of each app keep, for clients that come back.", recovery),
  allowedOrigins: allowedOrigins.apply(withDefault, []),
  channels: list("Rules for channels by name; the first that matches wins.", channelRule, CHANNEL_RULES).apply(
    withDefault,
    [],
  ),
});

const COOKIE_NAME = { pattern: HEADER_NAME, expects: "the name of a cookie" };
const ALGORITHMS = ["HS256", "RS256", "ES256", "EdDSA"] as const;

const token = object("How tokens are verified. Without it: HS256 with any of the app's secrets.", {
  algorithms: nonEmptyList(
    "Signature algorithms that are accepted. Without it, those that fit the key.",
    oneOf("A signature algorithm.", ALGORITHMS),
    'a list of "HS256", "RS256", "ES256" and "EdDSA"',
  ).apply(optional),
  secret: text("Shared secret, for HS256.", { secret: true }).apply(optional),
  publicKey: text("The issuer's public key (PEM, SubjectPublicKeyInfo), for RS256, ES256 and EdDSA.").apply(optional),
  jwksUrl: text("Where the issuer publishes its keys; no other address is ever fetched.", WEB_ADDRESS).apply(optional),
  audience: text("The audience that a token has to name.").apply(optional),
  issuer: text("The issuer that a token has to name.").apply(optional),
  clockToleranceS: seconds("How far the issuer's clock may be off, in seconds.", 0, 3600).apply(withDefault, 5),
  expiry: oneOf(
    "What becomes of a connection when its token expires: it is closed, unless the client has sent a newer one, or it stays open.",
    ["close", "ignore"],
  ).apply(withDefault, "close"),
  inUrl: boolean(
    "A token may come in an address (`?token=`), where proxies log it. Without it, it comes in a header, in the first frame or in a cookie, or a ticket stands for it.",
  ).apply(withDefault, true),
  cookie: text(
    "The cookie that a token may come in, where the app's `allowedOrigins` say which pages may send it.",
    COOKIE_NAME,
  ).apply(optional),
});

const eventName = z.enum(WEBHOOK_EVENTS).register(settingInfo, {
  description: "A kind of event.",
  expects: `one of ${WEBHOOK_EVENTS.join(", ")}`,
  parse: "text",
});

const webhook = object(
  "One receiver.",
  {
    url: text("Where the events are posted.", WEB_ADDRESS),
    events: nonEmptyList(
      "The kinds of event it is sent; all, where not given.",
      eventName,
      `a list of one or more of ${WEBHOOK_EVENTS.join(", ")}`,
    ).apply(optional),
    channels: object(
      "The channels whose events it is sent; all of what is given has to fit.",
      {
        prefix: text("How the channel's name begins.").apply(optional),
        suffix: text("How the channel's name ends.").apply(optional),
        pattern: text("The channel's name, with `*` for any run and `?` for one character.").apply(optional),
      },
      "an object with `prefix`, `suffix` or `pattern`",
    ).apply(optional),
    headers: headers("Headers that are sent along.", HEADER_NAME, HEADER_VALUE).apply(optional),
    batch: boolean("Several events in one request, where more than one waits.").apply(optional),
  },
  "an object with `url`",
);

const NAME = { pattern: /^[-A-Za-z0-9_.]{1,128}$/, expects: 'text of up to 128 letters, digits, "-", "_" and "."' };

/** As much as the column of a database holds, and nothing that one of them refuses. */
const TITLE = {
  pattern: /^[^\p{Cc}\p{Cs}]{1,255}$/u,
  expects: "text of 1 to 255 characters, without control characters",
};

const app = object(
  "One app.",
  {
    id: text("Names the app in the HTTP API: `/apps/ID/events`.", NAME),
    key: text("Names the app when a client connects: `/app/KEY`. Public.", NAME),
    secret: text("Signs API calls and permissions. Either this or `secrets`.", { secret: true }).apply(optional),
    secrets: nonEmptyList(
      "Several secrets that are valid at once, for rotation: the first signs, all of them verify.",
      text("A secret.", { secret: true }),
      "a list of one or more secrets",
      { secret: true },
    ).apply(optional),
    name: text("A name for people. Without it, the id.", TITLE).apply(optional),
    enabled: boolean("A disabled app refuses connections and API calls.").apply(withDefault, true),
    ...withoutDefaults(switches),
    limits: object("Limits of this app that differ from `defaults.limits`.", withoutDefaults(appLimits)).apply(
      optional,
    ),
    recovery: object(
      "Recovery of this app, where it differs from `defaults.recovery`.",
      withoutDefaults(recovery),
    ).apply(optional),
    allowedOrigins: allowedOrigins.apply(optional),
    channels: list("Rules that replace `defaults.channels`.", channelRule, CHANNEL_RULES).apply(optional),
    webhooks: list("Who is sent what happens in the app's channels.", webhook, "a list of objects with `url`").apply(
      optional,
    ),
    token: token.apply(optional),
    hooks: appHooks.apply(optional),
    singleConnection: oneOf(
      "A signed-in user may have one connection, in the whole cluster: a second one ends the first (`replace`), or is refused (`refuse`).",
      ["replace", "refuse"],
    ).apply(optional),
  },
  "an object with `id`, `key` and `secret`",
);

export const apps = list("The apps, each with its own keys, channels and limits.", app, "a list of apps").apply(
  withDefault,
  [],
);
