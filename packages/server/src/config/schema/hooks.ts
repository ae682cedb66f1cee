/** The hooks of an app: what its back end is asked over HTTP; and how all apps' hooks are sent. */

import { isForwardable } from "../../domain/forwarded-headers.ts";
import {
  boolean,
  HEADER_NAME,
  HEADER_VALUE,
  headers,
  integer,
  list,
  nonEmptyList,
  object,
  oneOf,
  optional,
  seconds,
  section,
  switchOrObject,
  text,
  textThat,
  WEB_ADDRESS,
  withDefault,
} from "./fields.ts";

/** How long a client's command may wait for its back end, at most. */
const MAX_TIMEOUT_S = 30;

export const hooks = section("How hooks are sent, of all apps.", {
  allowPrivate: boolean(
    "Back ends of apps in the database, or of a program's provider, may have private addresses. Those of the configuration always may.",
  ).apply(withDefault, false),
  concurrency: integer("Most requests to one app's back end at a time, from each process.").apply(withDefault, 256),
  waiting: integer("Most that wait for that, each no longer than its `timeoutS`; more count as not answered.", 0).apply(
    withDefault,
    1024,
  ),
});

const url = text("Where it is posted, if elsewhere.", WEB_ADDRESS).apply(optional);

function whenDown(refused: string, allowed: string) {
  const description = `While the back end does not answer: "refuse", and ${refused}; "allow", and ${allowed}.`;
  return oneOf(description, ["refuse", "allow"]).apply(withDefault, "refuse");
}

function patterns(description: string, byDefault: string) {
  const one = text("A name, or a pattern with `*` (any run) and `?` (one).");
  return nonEmptyList(description, one, "a list of names and patterns").apply(withDefault, [byDefault]);
}

const forwarded = textThat(isForwardable, {
  description: "A header's name.",
  expects:
    "the name of a header that is the client's own: not Host, Origin, Content-*, X-Forwarded-*, X-Pusher-* or one between two servers",
});

export const appHooks = object(
  "What the app's back end is asked over HTTP, and where. A hook is on where it is `true` or an object.",
  {
    url: text("Where the hooks are posted that have no `url` of their own.", WEB_ADDRESS).apply(optional),
    timeoutS: seconds("Time for an answer, in seconds.", 0.1, MAX_TIMEOUT_S).apply(withDefault, 3),
    forward: list(
      "Headers of the client's handshake that are sent along, such as `cookie` and `authorization`. `cookie` needs `allowedOrigins`.",
      forwarded,
      "a list of names of headers",
    ).apply(withDefault, []),
    headers: headers("Headers that are sent with each request.", HEADER_NAME, HEADER_VALUE).apply(optional),
    allowPrivate: boolean(
      "The back end may have a private address. In the database, and from a program's provider, it counts for nothing: see `hooks.allowPrivate`.",
    ).apply(withDefault, true),
    connect: switchOrObject("Asked before a client is welcome: who is it, and what may it?", {
      url,
      whenDown: whenDown("the client is to come back later", "it is in as it would be without the hook"),
    }).apply(optional),
    authenticate: switchOrObject("Asked who a client is that brings anything but a JSON Web Token.", { url }).apply(
      optional,
    ),
    refresh: switchOrObject("Asked before a token, or what a hook said, expires: the client need not renew it.", {
      url,
      whenDown: whenDown("the connection ends ten minutes after that", "it goes on until there is an answer"),
    }).apply(optional),
    subscribe: switchOrObject("Asked whether a client may be in a channel, and as whom.", {
      url,
      channels: patterns("The channels it is asked about.", "*"),
      when: oneOf(
        '"unproven": where a private channel is asked for with neither signature nor token; "always": in any case, public channels too.',
        ["unproven", "always"],
      ).apply(withDefault, "unproven"),
      whenDown: whenDown("the subscription is refused", "it is let through, unproven too"),
    }).apply(optional),
    publish: switchOrObject("Asked about what clients publish: to pass, to change, to drop or to refuse it.", {
      url,
      channels: patterns("The channels it is asked about.", "*"),
      whenDown: whenDown("the event is refused", "it is published as it is"),
    }).apply(optional),
    call: switchOrObject("Answers events of native clients that the protocol does not know.", {
      url,
      events: patterns("The events it answers.", "*"),
    }).apply(optional),
    disconnect: switchOrObject(
      "Told, in order and again until it is taken, that a connection has ended: sent as webhooks are.",
      { url },
    ).apply(optional),
  },
);
