/** Where NATS is, and how this server talks to it; read where `engine` is "nats". */

import * as z from "zod/mini";
import {
  boolean,
  fileName,
  nonEmptyList,
  optional,
  seconds,
  section,
  settingInfo,
  text,
  withDefault,
} from "./fields.ts";

const server = text("The address of one server.", {
  pattern: /^((nats|tls):\/\/)?(\[[0-9A-Fa-f:.]+\]|[^\s:/@]+)(:\d{1,5})?$/,
  expects: 'a host and a port, such as "10.0.0.5:4222", without user and password',
});

export const nats = section('NATS, where `engine` is "nats".', {
  servers: nonEmptyList(
    "Servers of NATS, with JetStream; those of a cluster announce each other.",
    server,
    "a list of one or more hosts with ports",
  ).apply(withDefault, ["127.0.0.1:4222"]),
  user: text("User of NATS.").apply(optional),
  password: text("Password of the user.", { secret: true }).apply(optional),
  token: text("Token, where NATS asks for one instead of a user.", { secret: true }).apply(optional),
  nkeySeed: text("Seed of an NKey (`SU…`), where NATS asks for one instead of a user.", {
    secret: true,
  }).apply(optional),
  credsFile: fileName("Credentials file (`.creds`) of a user with a JWT, read at the start.").apply(optional),
  tls: boolean("Talk to NATS by TLS even where it does not insist on it.").apply(withDefault, false),
  caFile: fileName(
    "File with the certificate authority of NATS's certificate (PEM), where the system does not know it.",
  ).apply(optional),
  prefix: text("Name of the stream in NATS, and the beginning of every subject that this server uses.", {
    pattern: /^[-A-Za-z0-9_]{1,32}$/,
    expects: 'text of up to 32 letters, digits, "-" and "_"',
  }).apply(withDefault, "fanfare"),
  replicas: z
    .union([z.literal("auto"), z.literal(1), z.literal(3), z.literal(5)])
    .register(settingInfo, {
      description:
        "Servers of a NATS cluster that each keep the stream, decided when it is made; auto is three in a cluster of three or more, else one. With one, all is lost with that server, and made anew.",
      expects: "auto, 1, 3 or 5",
      parse: "number",
    })
    .apply(withDefault, "auto"),
  connectTimeoutS: seconds("Time a connection to NATS may take, in seconds.", 0.05).apply(withDefault, 2),
  requestTimeoutS: seconds("Time an answer of NATS may take, in seconds.", 0.05).apply(withDefault, 1.5),
  reconnectMaxS: seconds(
    "Longest pause between attempts to reach NATS, in seconds. When it is back, publications wait that long for the other nodes.",
    0.05,
  ).apply(withDefault, 0.5),
});
