/** The settings of the dashboard: where it is, and who may look and act. */

import { boolean, list, object, oneOf, optional, passes, seconds, section, text, withDefault } from "./fields.ts";

const user = object(
  "A user who may sign in.",
  {
    name: text("The user signs in with this name.", {
      pattern: /^[^\s\p{C}]{1,64}$/u,
      expects: "a name without spaces",
    }),
    password: text("The hash of the password, by argon2 or bcrypt.", {
      secret: true,
      pattern: /^\$(argon2(id|i|d)|2[aby])\$\S+$/,
      expects:
        "the hash of a password by argon2 or bcrypt, such as `bun -e 'console.log(await Bun.password.hash(…))'` prints",
    }),
    role: oneOf(
      "What the user may do: `view` looks, `operate` also sends events and disconnects, `admin` also edits apps.",
      ["view", "operate", "admin"],
    ).apply(withDefault, "view"),
  },
  "an object with `name` and `password`",
);

const token = object(
  "JSON Web Tokens sign in as well: `sub` is the name, `role` the role, and `exp` has to be there.",
  {
    secret: text("Shared secret, for HS256; at least 32 characters.", {
      secret: true,
      pattern: /^.{32,}$/s,
      expects: "text of at least 32 characters",
    }).apply(optional),
    publicKey: text("The issuer's public key (PEM), for RS256, ES256 and EdDSA.", {
      pattern: /-----BEGIN PUBLIC KEY-----/,
      expects: 'a public key in PEM form, from "-----BEGIN PUBLIC KEY-----" to its end',
    }).apply(optional),
    jwksUrl: text("Where the issuer publishes its keys.", {
      pattern: /^https?:\/\/[^\s/]/,
      expects: "an http:// or https:// address",
    }).apply(optional),
    audience: text("The audience that a token has to name.").apply(optional),
    issuer: text("The issuer that a token has to name.").apply(optional),
  },
  "an object with exactly one of `secret`, `publicKey` and `jwksUrl`",
).check(passes(({ secret, publicKey, jwksUrl }) => [secret, publicKey, jwksUrl].filter(Boolean).length === 1));

export const dashboard = section("The dashboard.", {
  enabled: boolean("Whether there is a dashboard.").apply(withDefault, true),
  recentEvents: boolean(
    "Whether each node keeps what happened lately in its memory, so that a console that is opened afterwards is not empty: at most 1,000 entries (about 1 MB), their payloads cut and masked, and of each second no more than 20 messages, 50 refusals and errors, and 50 others.",
  ).apply(withDefault, true),
  path: text("Where it is.", {
    pattern: /^(\/[-A-Za-z0-9_.~]+)+$/,
    expects: 'a path such as "/dashboard" that starts with "/" and does not end with it',
  }).apply(withDefault, "/dashboard"),
  password: text("Signs in the user `admin`, who may do everything; in plain text, at least 12 characters.", {
    secret: true,
    pattern: /^.{12,}$/s,
    expects: "text of at least 12 characters",
  }).apply(optional),
  users: list(
    "Who may sign in. Without users, password, token and a gate of the program's, only who has the key of the printed address has access, and only in development.",
    user,
    "a list of objects with `name` and `password`",
    { secret: true },
  ).apply(withDefault, []),
  token: token.apply(optional),
  sessionS: seconds("Time after which users have to sign in again, in seconds.", 60).apply(withDefault, 43_200),
});
