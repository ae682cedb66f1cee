/** What the configuration says of NATS, as the engine takes it. */

import type { Config } from "../../config/schema/schema.ts";
import type { Credentials, NatsSettings } from "../../engines/nats/settings.ts";
import { readSettingFile } from "./read-setting-file.ts";

const MIN_PAUSE_MS = 50;

/** Throws an Error where a file cannot be read, or where there is more than one way to say who this is. */
export function natsSettings(config: Config): NatsSettings {
  const { nats, nodeTimeoutS, publishWaitS, publishWaitBytes } = config;
  const reconnectMaxMs = nats.reconnectMaxS * 1000;
  const credentials = credentialsOf(nats);
  const ca = nats.caFile === undefined ? undefined : readSettingFile("nats.caFile", nats.caFile);
  return {
    servers: nats.servers,
    ...(credentials && { credentials }),
    ...((nats.tls || ca !== undefined) && { tls: ca === undefined ? {} : { ca } }),
    prefix: nats.prefix,
    replicas: nats.replicas,
    connectTimeoutMs: nats.connectTimeoutS * 1000,
    requestTimeoutMs: nats.requestTimeoutS * 1000,
    reconnectMinMs: Math.min(MIN_PAUSE_MS, reconnectMaxMs),
    reconnectMaxMs,
    publishWaitMs: publishWaitS * 1000,
    publishWaitBytes,
    nodeTimeoutMs: nodeTimeoutS * 1000,
  };
}

function credentialsOf({ user, password, token, nkeySeed, credsFile }: Config["nats"]): Credentials | undefined {
  const ways = { user, token, nkeySeed, credsFile };
  const given = Object.entries(ways).flatMap(([name, value]) => (value === undefined ? [] : [`\`nats.${name}\``]));
  if (given.length > 1) throw new Error(`${given.join(" and ")} say who this is in two ways; keep one of them.`);
  if (user !== undefined) return { type: "password", user, password: password ?? "" };
  if (token !== undefined) return { type: "token", token };
  if (nkeySeed !== undefined) return { type: "nkey", seed: nkeySeed };
  return credsFile === undefined ? undefined : { type: "creds", creds: readSettingFile("nats.credsFile", credsFile) };
}
