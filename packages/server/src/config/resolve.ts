/** Turns merged values into the configuration that the server runs with: checks them against the schema and gives every app its defaults. */

import { createPublicKey, type KeyObject } from "node:crypto";
import { type App, HOOK_NAMES, type HookSettings, type TokenAlgorithm, type TokenRules } from "../domain/app.ts";
import type { ConfigBuilder } from "./config-builder.ts";
import { ConfigError, describeValue, withSource } from "./config-error.ts";
import { isUnixSocketPath } from "./schema/fields.ts";
import { widenForEvents } from "./schema/limits.ts";
import { type AppDefaults, type AppSettings, type Config, schema, type TokenSettings } from "./schema/schema.ts";
import { formatPath, type Path, settingAt, valueAt } from "./settings.ts";

type Refuse = (path: Path, message: string) => void;

/** Throws ConfigError with one line for each problem. */
export function resolve(builder: ConfigBuilder): Config {
  const { values } = builder;
  const messages = builder.problems.map(({ message }) => message);
  const refuse: Refuse = (path, message) => messages.push(withSource(message, builder.sourceOf(path)));
  const parsed = schema.safeParse(values);
  for (const { path } of parsed.error?.issues ?? []) refuseValue(path, values, refuse);
  // Problems of merging come first: a misspelt key looks like a missing one further on.
  if (!parsed.success || messages.length > 0) throw new ConfigError(messages);
  const { apps, defaults, ...rest } = parsed.data;
  refuseDuplicateApps(apps, refuse);
  refuseDuplicateNames(rest.tls, refuse);
  refuseForUnixSocket(rest, refuse);
  refuseOutbox(rest.outbox, refuse);
  const resolved = apps.map((app, index) => resolveApp(app, defaults, ["apps", index], refuse));
  if (messages.length > 0) throw new ConfigError(messages);
  const appLimits = [defaults, ...resolved].map(({ limits }) => limits);
  return { ...rest, limits: widenForEvents(rest.limits, values.limits, appLimits), defaults, apps: resolved };
}

function refuseValue(issuePath: Path, values: unknown, refuse: Refuse): void {
  const { setting, depth } = settingAt(issuePath);
  const path = issuePath.slice(0, depth);
  const value = valueAt(values, path);
  const isMissing = value === undefined ? " is missing: it" : "";
  const but = value === undefined ? "" : `, but is ${describeValue(value, setting.secret)}`;
  refuse(path, `\`${formatPath(path)}\`${isMissing} has to be ${setting.expects}${but}`);
}

function resolveApp(app: AppSettings, defaults: AppDefaults, path: Path, refuse: Refuse): App {
  const { secret, secrets, token, limits, name, recovery, ...rest } = app;
  const here = formatPath(path);
  if (secret !== undefined && secrets !== undefined) {
    refuse(path, `\`${here}\` has both \`secret\` and \`secrets\`: keep one of them`);
  }
  if (secret === undefined && secrets === undefined) {
    const missing = `\`${here}.secret\` is missing: it has to be text, not empty`;
    refuse(path, `${missing} (or \`${here}.secrets\` a list of them)`);
  }
  const [first = secret ?? "", ...others] = secrets ?? [];
  const allowedOrigins = app.allowedOrigins ?? defaults.allowedOrigins;
  if (app.hooks) refuseHooks(app.hooks, allowedOrigins, [...path, "hooks"], refuse);
  if (token?.cookie !== undefined && isAnyAllowed(allowedOrigins)) {
    const what = "needs the app's `allowedOrigins`: the pages that may connect with a visitor's cookies";
    refuse([...path, "token", "cookie"], `\`${here}.token.cookie\` ${what}`);
  }
  return {
    ...defaults,
    ...rest,
    secrets: [first, ...others],
    name: name ?? app.id,
    limits: { ...defaults.limits, ...limits },
    recovery: { ...defaults.recovery, ...recovery },
    ...(token && { token: resolveToken(token, [...path, "token"], refuse) }),
  };
}

function refuseHooks(hooks: HookSettings, allowedOrigins: readonly string[], path: Path, refuse: Refuse): void {
  const here = formatPath(path);
  for (const name of HOOK_NAMES) {
    if (!hooks[name] || (hooks[name].url ?? hooks.url) !== undefined) continue;
    refuse([...path, name], `\`${here}.${name}\` has no address: give \`${here}.url\`, or it a \`url\` of its own`);
  }
  if (!hooks.forward.some((name) => name.toLowerCase() === "cookie")) return;
  if (!isAnyAllowed(allowedOrigins)) return;
  const what =
    "has `cookie`, which needs the app's `allowedOrigins`: the pages that may connect with a visitor's cookies";
  refuse([...path, "forward"], `\`${here}.forward\` ${what}`);
}

/** Then any page of the web could connect in the name of a visitor who is signed in. */
function isAnyAllowed(origins: readonly string[]): boolean {
  return origins.length === 0 || origins.includes("*");
}

function resolveToken(token: TokenSettings, path: Path, refuse: Refuse): TokenRules {
  const given = (["secret", "publicKey", "jwksUrl"] as const).filter((key) => token[key] !== undefined);
  const here = formatPath(path);
  if (given.length > 1) {
    const but = given.map((key) => `\`${key}\``).join(" and ");
    refuse(path, `\`${here}\` has to have at most one of \`secret\`, \`publicKey\` and \`jwksUrl\`, but has ${but}`);
    return { ...token, algorithms: [] };
  }
  const fitting = algorithmsFor(token);
  if (typeof fitting === "string") {
    refuse([...path, "publicKey"], `\`${here}.publicKey\` has to be ${fitting}`);
    return { ...token, algorithms: [] };
  }
  const algorithms = token.algorithms ?? fitting;
  for (const algorithm of algorithms.filter((one) => !fitting.includes(one))) {
    const message = `\`${here}.algorithms\` has ${algorithm}, which does not fit ${given[0] ? `\`${given[0]}\`` : "the app's secret"}`;
    refuse([...path, "algorithms"], `${message}: use ${fitting.join(", ")}`);
  }
  return { ...token, algorithms };
}

/** The algorithms that the key can verify, or what the key should have been. */
function algorithmsFor(token: TokenSettings): readonly TokenAlgorithm[] | string {
  if (token.jwksUrl !== undefined) return ["RS256", "ES256", "EdDSA"];
  // A secret of its own, or the app's.
  if (token.publicKey === undefined) return ["HS256"];
  const key = publicKeyOf(token.publicKey);
  if (key === undefined) return 'a public key in PEM form, from "-----BEGIN PUBLIC KEY-----" to its end';
  if (key.asymmetricKeyType === "rsa") return ["RS256"];
  if (key.asymmetricKeyType === "ed25519") return ["EdDSA"];
  if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return ["ES256"];
  return `an RSA, P-256 or Ed25519 key, but is ${key.asymmetricKeyType ?? "another kind"}`;
}

/** Node would take a private key as well, and derive the public one; it must not be in a verifier's settings. */
function publicKeyOf(pem: string): KeyObject | undefined {
  if (!pem.includes("-----BEGIN PUBLIC KEY-----")) return undefined;
  try {
    return createPublicKey(pem);
  } catch {
    return undefined;
  }
}

function refuseDuplicateApps(apps: readonly AppSettings[], refuse: Refuse): void {
  for (const field of ["id", "key"] as const) {
    for (const [index, earlier] of duplicates(apps.map((app) => app[field]))) {
      const both = `\`apps[${index}].${field}\` is ${JSON.stringify(apps[index]?.[field])}, as \`apps[${earlier}].${field}\` is`;
      refuse(["apps", index], `${both}: every app needs ${field === "id" ? "an id" : "a key"} of its own`);
    }
  }
}

/** Clients would only ever see the last of them. */
function refuseDuplicateNames(tls: Config["tls"], refuse: Refuse): void {
  const names = (tls?.names ?? []).map(({ serverName }) => serverName);
  for (const [index, earlier] of duplicates(names.map((name) => name.toLowerCase()))) {
    const both = `\`tls.names[${index}].serverName\` is ${JSON.stringify(names[index])}, as \`tls.names[${earlier}].serverName\` is`;
    refuse(["tls", "names", index], `${both}: every name has one certificate`);
  }
}

function refuseOutbox(outbox: Config["outbox"], refuse: Refuse): void {
  const names = outbox.map(({ name, table }) => name ?? table);
  for (const [index, earlier] of duplicates(names)) {
    const both = `\`outbox[${index}]\` has the name ${JSON.stringify(names[index])}, as \`outbox[${earlier}]\` has`;
    refuse(["outbox", index], `${both}: give each a \`name\` of its own`);
  }
  for (const [index, { notify, url }] of outbox.entries()) {
    if (!notify || url.startsWith("postgres")) continue;
    refuse(["outbox", index], `\`outbox[${index}].notify\` is true, and only PostgreSQL can notify: leave it out`);
  }
}

/** Where a value is there again, and where it was first. */
function duplicates(values: readonly string[]): (readonly [index: number, earlier: number])[] {
  return values.flatMap((value, index) => {
    const earlier = values.indexOf(value);
    return earlier < index ? [[index, earlier] as const] : [];
  });
}

/** Several processes share a port, not a socket; and TLS is the proxy's, which alone can reach it. */
function refuseForUnixSocket({ host, workers, tls }: Pick<Config, "host" | "workers" | "tls">, refuse: Refuse): void {
  if (!isUnixSocketPath(host)) return;
  const here = `\`host\` is the Unix socket ${host}`;
  if (workers > 1) refuse(["workers"], `\`workers\` has to be 1 where ${here}, but is ${workers}`);
  if (tls) refuse(["host"], `${here}, which is for a proxy: leave \`tls\` to it`);
}
