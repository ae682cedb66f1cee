/** Reads settings from the environment: FANFARE_… for every one, and the names that other programs gave some of them. */

import { describe, nearest } from "./problem.ts";
import { type Setting, settings } from "./tree.ts";
import { Unreadable, valueFrom } from "./written.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** One value with the setting it is for and the name it came by. */
export interface Given {
  readonly setting: Setting;
  readonly value: unknown;
  readonly from: string;
}

/** Objects come before what is in them. An empty variable counts as none, as Compose and Kubernetes templates need it. */
export function fromEnvironment(env: Environment, problems: string[]): Given[] {
  problems.push(...unknownNames(env));
  return settings.flatMap((setting) => {
    const given = namesOf(setting)
      .filter((name) => counts(setting, name, env[name]))
      .map((name) => ({ name, value: read(setting, name, env[name] ?? "", problems) }))
      .filter(({ value }) => value !== Unreadable);
    const [first, ...others] = given;
    if (first === undefined) return [];
    const other = others.find(({ value }) => JSON.stringify(value) !== JSON.stringify(first.value));
    if (other !== undefined) problems.push(disagreement(setting, first, other));
    return [{ setting, value: first.value, from: first.name }];
  });
}

const PUSHER = { id: "PUSHER_APP_ID", key: "PUSHER_APP_KEY", secret: "PUSHER_APP_SECRET" } as const;

/** Where an app made of the PUSHER_APP_… variables says it came from. */
export const PUSHER_NAMES = `${PUSHER.id}, ${PUSHER.key} and ${PUSHER.secret}`;

/** The app that the variables of a Pusher back end make, if they are set. */
export function pusherApp(env: Environment, problems: string[]): Readonly<Record<string, string>> | undefined {
  const { [PUSHER.id]: id, [PUSHER.key]: key, [PUSHER.secret]: secret, PUSHER_APP_NAME: name } = env;
  if (!id && !key && !secret) return undefined;
  if (id && key && secret) return { id, key, secret, ...(name ? { name } : {}) };
  const missing = Object.values(PUSHER).filter((variable) => !env[variable]);
  const present = Object.values(PUSHER).filter((variable) => env[variable]);
  const verb = missing.length > 1 ? "are" : "is";
  problems.push(
    `${missing.join(" and ")} ${verb} missing: ${present.join(" and ")} ${present.length > 1 ? "are" : "is"} set, ` +
      "and it takes all three to make an app",
  );
  return undefined;
}

function namesOf(setting: Setting): readonly string[] {
  return [setting.env, ...(setting.facts.aliases ?? [])];
}

function counts(setting: Setting, name: string, value: string | undefined): boolean {
  if (value === undefined || value === "" || isFromKubernetes(name, value)) return false;
  return name !== "NODE_ENV" || setting.facts.accepts.includes(JSON.stringify(value));
}

function read(setting: Setting, name: string, text: string, problems: string[]): unknown {
  const value = valueFrom(setting, text);
  if (value === Unreadable) problems.push(`${name} has to be JSON (${setting.facts.accepts}), but does not parse`);
  return value;
}

function disagreement(
  setting: Setting,
  one: { name: string; value: unknown },
  other: { name: string; value: unknown },
) {
  const both = `${one.name} is ${describe(one.value)} and ${other.name} is ${describe(other.value)}`;
  return `${both}: both mean \`${setting.path}\`, so unset one of them`;
}

function unknownNames(env: Environment): string[] {
  const known = settings.map((setting) => setting.env);
  return Object.entries(env)
    .filter(([name, value]) => name.startsWith("FANFARE_") && !known.includes(name) && !isFromKubernetes(name, value))
    .map(([name]) => {
      const meant = nearest(name, known);
      return `unknown environment name ${name}: ${meant ? `did you mean ${meant}?` : "see docs/configuration.md"}`;
    });
}

/** A Service that is called "fanfare" puts such variables into every pod of its namespace. */
function isFromKubernetes(name: string, value = ""): boolean {
  if (name === "FANFARE_PORT") return /^(tcp|udp|sctp):\/\//.test(value);
  return /^FANFARE_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP|SCTP))(_|$)/.test(name);
}
