/** Where NATS is, and how this server talks to it; read where `engine` is "nats". */

import { z } from "zod";
import { boolean, optionalText, seconds, settingInfo, text } from "./fields.ts";

const list = { parse: "json" } as const;

const server = z
  .string()
  .regex(/^((nats|tls):\/\/)?(\[[0-9A-Fa-f:.]+\]|[^\s:/@]+)(:\d{1,5})?$/)
  .register(settingInfo, {
    description: "One of them.",
    expects: 'a host and a port, such as "10.0.0.5:4222", without user and password',
    parse: "text",
  });

export const nats = z
  .strictObject({
    servers: z
      .array(server)
      .min(1)
      .default(["127.0.0.1:4222"])
      .register(settingInfo, {
        ...list,
        description: "Servers of NATS, with JetStream; those of a cluster tell of each other.",
        expects: "a list of one or more hosts with ports",
      }),
    user: optionalText("User of NATS."),
    password: optionalText("Password of the user.", { secret: true }),
    token: optionalText("Token, where NATS asks for one instead of a user.", { secret: true }),
    nkeySeed: optionalText("Seed of an NKey (`SU…`), where NATS asks for one instead of a user.", { secret: true }),
    credsFile: optionalText("Credentials file (`.creds`) of a user with a JWT, read at the start.", {
      expects: "the name of a file",
    }),
    tls: boolean("Talk to NATS by TLS even where it does not insist on it.", false),
    caFile: optionalText(
      "File with the certificate authority of NATS's certificate (PEM), where the system does not know it.",
      { expects: "the name of a file" },
    ),
    prefix: text("Name of the stream in NATS, and the beginning of every subject that this server uses.", "fanfare", {
      pattern: /^[-A-Za-z0-9_]{1,32}$/,
      expects: 'text of up to 32 letters, digits, "-" and "_"',
    }),
    replicas: z
      .union([z.literal("auto"), z.literal(1), z.literal(3), z.literal(5)])
      .default("auto")
      .register(settingInfo, {
        description:
          "Servers of a NATS cluster that each keep the stream, decided when it is made; auto is three in a cluster of three or more, else one. With one, all is lost with that server, and made anew.",
        expects: "auto, 1, 3 or 5",
        parse: "number",
      }),
    connectTimeoutS: seconds("Time a connection to NATS may take, in seconds.", 2, 0.05),
    requestTimeoutS: seconds("Time an answer of NATS may take, in seconds.", 1.5, 0.05),
    reconnectMaxS: seconds(
      "Longest pause between attempts to reach NATS, in seconds. When it is back, publications wait that long for the other nodes.",
      0.5,
      0.05,
    ),
  })
  .prefault({})
  .register(settingInfo, { ...list, description: 'NATS, where `engine` is "nats".', expects: "an object" });
