/** The part of the table that is about the dashboard: where it is, and who may look and act. */

import { z } from "zod";
import { boolean, oneOf, optionalText, requiredText, seconds, settingInfo, text } from "./fields.ts";

const list = { parse: "json" } as const;

const HASH = {
  pattern: /^\$(argon2(id|i|d)|2[aby])\$\S+$/,
  expects:
    "the hash of a password by argon2 or bcrypt, such as `bun -e 'console.log(await Bun.password.hash(…))'` prints",
};

const user = z
  .strictObject({
    name: requiredText("By this one signs in.", { pattern: /^[^\s\p{C}]{1,64}$/u, expects: "a name without spaces" }),
    password: requiredText("The hash of the password, by argon2 or bcrypt.", { ...HASH, secret: true }),
    role: oneOf(
      "What one may do: `view` looks, `operate` also sends events and disconnects, `admin` also edits apps.",
      ["view", "operate", "admin"],
      "view",
    ),
  })
  .register(settingInfo, {
    ...list,
    description: "Somebody who may sign in.",
    expects: "an object with `name` and `password`",
  });

const token = z
  .strictObject({
    secret: optionalText("Shared secret, for HS256; at least 32 characters.", {
      secret: true,
      pattern: /^.{32,}$/s,
      expects: "text of at least 32 characters",
    }),
    publicKey: optionalText("The issuer's public key (PEM), for RS256, ES256 and EdDSA.", {
      pattern: /-----BEGIN PUBLIC KEY-----/,
      expects: 'a public key in PEM form, from "-----BEGIN PUBLIC KEY-----" to its end',
    }),
    jwksUrl: optionalText("Where the issuer publishes its keys.", {
      pattern: /^https?:\/\/[^\s/]/,
      expects: "an http:// or https:// address",
    }),
    audience: optionalText("The audience that a token has to name."),
    issuer: optionalText("The issuer that a token has to name."),
  })
  .refine(({ secret, publicKey, jwksUrl }) => [secret, publicKey, jwksUrl].filter(Boolean).length === 1)
  .exactOptional()
  .register(settingInfo, {
    ...list,
    description: "JSON Web Tokens sign in as well: `sub` is the name, `role` the role, and `exp` has to be there.",
    expects: "an object with exactly one of `secret`, `publicKey` and `jwksUrl`",
  });

export const dashboard = z
  .strictObject({
    enabled: boolean("Whether there is a dashboard.", true),
    path: text("Where it is.", "/dashboard", {
      pattern: /^(\/[-A-Za-z0-9_.~]+)+$/,
      expects: 'a path such as "/dashboard" that starts with "/" and does not end with it',
    }),
    password: optionalText("Signs in the user `admin`, who may do everything; as it is, at least 12 characters.", {
      secret: true,
      pattern: /^.{12,}$/s,
      expects: "text of at least 12 characters",
    }),
    users: z
      .array(user)
      .default([])
      .register(settingInfo, {
        ...list,
        description:
          "Who may sign in. Without users, password, token and a gate of the program's, only who has the key of the printed address has access, and only in development.",
        expects: "a list of objects with `name` and `password`",
        secret: true,
      }),
    token,
    sessionS: seconds("Time after which one has to sign in again, in seconds.", 43_200, 60),
  })
  .prefault({})
  .register(settingInfo, { ...list, description: "The dashboard.", expects: "an object" });

export type DashboardSettings = z.output<typeof dashboard>;
