/** Turns what was written into what the server runs with: checks it against the table and gives every app its defaults. */

import { createPublicKey, type KeyObject } from "node:crypto";
import type { z } from "zod";
import type { App, TokenAlgorithm, TokenRules } from "../domain/app.ts";
import { type ConfigBuilder, sourceOf, withSource } from "./config-builder.ts";
import { ConfigError, describeValue } from "./config-error.ts";
import { isUnixSocketPath, type SettingInfo } from "./schema/fields.ts";
import { widenForEvents } from "./schema/limits.ts";
import { type AppDefaults, type AppSettings, type Config, schema, type TokenSettings } from "./schema/schema.ts";
import { factsAt, formatPath, type Path } from "./settings.ts";

/** Throws ConfigError with one line for each problem. */
export function resolve(draft: ConfigBuilder): Config {
  const parsed = schema.safeParse(draft.values);
  if (!parsed.success) {
    throw new ConfigError([...told(draft), ...parsed.error.issues.map((issue) => sentenceFor(draft, issue))]);
  }
  // What does not follow the table is told of first: a misspelt key looks like a missing one further on.
  if (draft.problems.length > 0) throw new ConfigError(told(draft));
  const { apps, defaults, ...rest } = parsed.data;
  const problems = [...duplicates(draft, apps), ...doubleNames(draft, rest.tls), ...notBySocket(draft, rest)];
  const complain = (path: Path, sentence: string) => problems.push(withSource(sentence, sourceOf(draft, path)));
  const resolved = apps.map((app, index) => resolveApp(app, defaults, index, complain));
  if (problems.length > 0) throw new ConfigError(problems);
  const bounds = [defaults, ...resolved].map(({ limits }) => limits);
  return { ...rest, limits: widenForEvents(rest.limits, draft.values.limits, bounds), defaults, apps: resolved };
}

function told({ problems }: ConfigBuilder): string[] {
  return problems.map(({ message: sentence }) => sentence);
}

type Complain = (path: Path, sentence: string) => void;

function sentenceFor(draft: ConfigBuilder, issue: z.core.$ZodIssue): string {
  const known = factsAt(issue.path);
  const path = issue.path.slice(0, known.depth);
  return withSource(sentence(path, known.facts, valueAt(draft.values, path)), sourceOf(draft, path));
}

function sentence(path: Path, facts: SettingInfo, value: unknown): string {
  if (value === undefined) return `\`${formatPath(path)}\` is missing: it has to be ${facts.expects}`;
  return `\`${formatPath(path)}\` has to be ${facts.expects}, but is ${describeValue(value, facts.secret)}`;
}

function valueAt(values: unknown, path: Path): unknown {
  let value = values;
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = Object.getOwnPropertyDescriptor(value, step)?.value;
  }
  return value;
}

function resolveApp(app: AppSettings, defaults: AppDefaults, index: number, complain: Complain): App {
  const { secret, secrets, token, limits, name, ...rest } = app;
  const path = ["apps", index];
  const here = formatPath(path);
  if (secret !== undefined && secrets !== undefined) {
    complain(path, `\`${here}\` has both \`secret\` and \`secrets\`: keep one of them`);
  }
  if (secret === undefined && secrets === undefined) {
    complain(
      path,
      `\`${here}.secret\` is missing: it has to be text, not empty (or \`${here}.secrets\` a list of them)`,
    );
  }
  const [first = secret ?? "", ...others] = secrets ?? [];
  return {
    ...defaults,
    ...rest,
    secrets: [first, ...others],
    name: name ?? app.id,
    limits: { ...defaults.limits, ...limits },
    ...(token === undefined ? {} : { token: resolveToken(token, [...path, "token"], complain) }),
  };
}

function resolveToken(token: TokenSettings, path: Path, complain: Complain): TokenRules {
  const given = (["secret", "publicKey", "jwksUrl"] as const).filter((key) => token[key] !== undefined);
  const here = formatPath(path);
  if (given.length !== 1) {
    const but = given.length === 0 ? "none of them" : given.map((key) => `\`${key}\``).join(" and ");
    complain(path, `\`${here}\` has to have exactly one of \`secret\`, \`publicKey\` and \`jwksUrl\`, but has ${but}`);
    return { ...token, algorithms: [] };
  }
  const fitting = algorithmsFor(token);
  if (typeof fitting === "string") {
    complain([...path, "publicKey"], `\`${here}.publicKey\` has to be ${fitting}`);
    return { ...token, algorithms: [] };
  }
  const algorithms = token.algorithms ?? fitting;
  for (const algorithm of algorithms.filter((one) => !fitting.includes(one))) {
    const sentence = `\`${here}.algorithms\` has ${algorithm}, which does not fit \`${given[0]}\``;
    complain([...path, "algorithms"], `${sentence}: use ${fitting.join(", ")}`);
  }
  return { ...token, algorithms };
}

/** The algorithms that the key can verify, or what the key should have been. */
function algorithmsFor(token: TokenSettings): readonly TokenAlgorithm[] | string {
  if (token.secret !== undefined) return ["HS256"];
  if (token.publicKey === undefined) return ["RS256", "ES256", "EdDSA"];
  const key = publicKeyOf(token.publicKey);
  if (key === undefined) return 'a public key in PEM form, from "-----BEGIN PUBLIC KEY-----" to its end';
  if (key.asymmetricKeyType === "rsa") return ["RS256"];
  if (key.asymmetricKeyType === "ed25519") return ["EdDSA"];
  if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return ["ES256"];
  return `an RSA, P-256 or Ed25519 key, but is ${key.asymmetricKeyType ?? "another kind"}`;
}

/** A private key would do for Node, which derives the public one from it; it has no business in a verifier's settings. */
function publicKeyOf(pem: string): KeyObject | undefined {
  if (!pem.includes("-----BEGIN PUBLIC KEY-----")) return undefined;
  try {
    return createPublicKey(pem);
  } catch {
    return undefined;
  }
}

function duplicates(draft: ConfigBuilder, apps: readonly AppSettings[]): string[] {
  const problems: string[] = [];
  for (const field of ["id", "key"] as const) {
    const first = new Map<string, number>();
    for (const [index, app] of apps.entries()) {
      const before = first.get(app[field]);
      if (before === undefined) first.set(app[field], index);
      else problems.push(withSource(clash(field, app[field], index, before), sourceOf(draft, ["apps", index])));
    }
  }
  return problems;
}

/** Several processes share a port, not a socket; and TLS is the proxy's, which alone can reach it. */
function notBySocket(draft: ConfigBuilder, { host, workers, tls }: Pick<Config, "host" | "workers" | "tls">): string[] {
  if (!isUnixSocketPath(host)) return [];
  const here = `\`host\` is the Unix socket ${host}`;
  return [
    ...(workers > 1
      ? [withSource(`\`workers\` has to be 1 where ${here}, but is ${workers}`, sourceOf(draft, ["workers"]))]
      : []),
    ...(tls ? [withSource(`${here}, which is for a proxy: leave \`tls\` to it`, sourceOf(draft, ["host"]))] : []),
  ];
}

/** The last of them would be the only one that anybody sees. */
function doubleNames(draft: ConfigBuilder, tls: Config["tls"]): string[] {
  const first = new Map<string, number>();
  return (tls?.names ?? []).flatMap(({ serverName }, index) => {
    const before = first.get(serverName.toLowerCase());
    if (before === undefined) {
      first.set(serverName.toLowerCase(), index);
      return [];
    }
    const both = `\`tls.names[${index}].serverName\` is ${JSON.stringify(serverName)}, as \`tls.names[${before}].serverName\` is`;
    return [withSource(`${both}: every name has one certificate`, sourceOf(draft, ["tls", "names", index]))];
  });
}

function clash(field: "id" | "key", value: string, index: number, before: number): string {
  const spelt = `\`apps[${index}].${field}\` is ${JSON.stringify(value)}, as \`apps[${before}].${field}\` is`;
  return `${spelt}: every app needs ${field === "id" ? "an id" : "a key"} of its own`;
}
