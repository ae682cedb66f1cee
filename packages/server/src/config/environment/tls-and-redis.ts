/** What the environment says about TLS and Redis besides their settings: whether there is TLS, that a certificate brings its key, and Redis as Laravel has it. */

import type { ConfigBuilder } from "../config-builder.ts";
import { describeValue } from "../config-error.ts";
import { parseBoolean } from "../parse-value.ts";
import { type Environment, readVariable } from "./environment.ts";
import { CERTIFICATE_WITH_KEY, foreignVariables, TLS_SWITCH } from "./foreign-variables.ts";

/** May hold a passphrase. */
const WHOLE_OBJECT = "FANFARE_TLS";

/** Off removes what the file says, and the certificate that belongs to the switch; another one contradicts it. */
export function switchTls(builder: ConfigBuilder, env: Environment): void {
  const text = readVariable(TLS_SWITCH, env);
  if (text === undefined) return;
  const isOn = parseBoolean(text);
  if (isOn === undefined) builder.refuse(`${TLS_SWITCH} has to be true or false, but is ${describeValue(text)}`);
  if (isOn !== false) return;
  const theirs = foreignVariables.filter(({ name, path }) => path === "tls.certFile" && !name.startsWith(TLS_SWITCH));
  for (const name of [WHOLE_OBJECT, "FANFARE_TLS_CERT_FILE", ...theirs.map((variable) => variable.name)]) {
    const file = readVariable(name, env);
    if (file === undefined) continue;
    const both = `${TLS_SWITCH} is ${describeValue(text)} and ${name} is ${describeValue(file, name === WHOLE_OBJECT)}`;
    builder.refuse(`${both}: one leaves TLS out, the other asks for it, so unset one of them`);
  }
  removeTls(builder);
}

/** To be called when every source is merged. */
export function completeTls(builder: ConfigBuilder, env: Environment): void {
  const { sources, values } = builder;
  const configured = [...sources].filter(([path]) => path.startsWith("tls."));
  if (configured.length > 0 && configured.every(isUselessAlone)) removeTls(builder);
  const { tls } = values;
  if (tls === undefined) {
    if (parseBoolean(readVariable(TLS_SWITCH, env) ?? "") !== true) return;
    const where = "set WEBSOCKET_SSL_CERT and WEBSOCKET_SSL_KEY, or `tls.certFile` and `tls.keyFile`";
    builder.refuse(`${TLS_SWITCH} is true, but there is no certificate: ${where}`);
    return;
  }
  const { certFile, keyFile }: { certFile?: unknown; keyFile?: unknown } = Object(tls);
  const bringsKey = builder.sourceOf(["tls", "certFile"]) === CERTIFICATE_WITH_KEY;
  if (bringsKey && keyFile === undefined) builder.set("tls.keyFile", certFile, CERTIFICATE_WITH_KEY);
}

/** Other servers have no TLS where they have no certificate, whatever their passphrase is. */
function isUselessAlone([path, source]: readonly [path: string, source: string]): boolean {
  const isAlone = path === "tls.passphrase" || path === "tls.caFile";
  return isAlone && foreignVariables.some(({ name }) => name === source);
}

function removeTls({ sources, values }: ConfigBuilder): void {
  delete values.tls;
  for (const path of [...sources.keys()].filter((one) => one.startsWith("tls."))) sources.delete(path);
}

/** Redis as Laravel's environment says where it is. To be called when every source is merged. */
export function completeRedis(builder: ConfigBuilder): void {
  const { sources, values } = builder;
  const redis: Record<string, unknown> = Object(values.redis);
  const forget = (key: string) => {
    delete redis[key];
    sources.delete(`redis.${key}`);
  };
  // REDIS_URL is the application's: it counts only where the environment and flags name no Redis for this server.
  const places = ["host", "cluster", "sentinels"].flatMap((key) => sources.get(`redis.${key}`) ?? []);
  const isNamed = places.some((source) => /^(FANFARE_|SOKETI_|--)/.test(source));
  if (isNamed && sources.get("redis.url") === "REDIS_URL") forget("url");
  if (sources.get("redis.host") === "REDIS_HOST") splitScheme(builder, redis);
  // Laravel's documentation has port 0 beside a socket.
  if (String(redis.host).startsWith("/") && redis.port === 0) forget("port");
}

/** phpredis has the scheme in front of the host: `tls://redis.example`. */
function splitScheme(builder: ConfigBuilder, redis: Record<string, unknown>): void {
  const [, scheme = "", host = ""] = /^(tls|tcp|unix):\/\/([^\s:]+|\[[^\s\]]+\])$/i.exec(String(redis.host)) ?? [];
  if (host === "") return;
  const isTls = scheme.toLowerCase() === "tls";
  if (isTls && redis.port === undefined) {
    const what = `REDIS_HOST is ${describeValue(redis.host)}, which needs REDIS_PORT beside it`;
    builder.refuse(`${what}: servers with TLS have no usual port`, "redis.host");
  }
  redis.host = host;
  if (isTls && redis.tls === undefined) builder.set("redis.tls", true, "REDIS_HOST");
}
