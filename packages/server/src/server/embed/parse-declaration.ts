/** Checks that a value is a declaration of events: a program in JavaScript, or a file, may have anything in its place. */

import type { Declaration } from "@fanfare/schema";
import { ConfigError, errorReason } from "../../config/config-error.ts";
import { loadExport } from "../load-export.ts";

const PARTS = ["channels", "user", "calls", "member"];

/** Throws ConfigError with one line for each problem. */
export function parseDeclaration(value: unknown): Declaration {
  const problems = isRecord(value) ? problemsOf(value) : ["`events` has to be a declaration (`defineEvents`)"];
  if (problems.length > 0) throw new ConfigError(problems);
  return value as Declaration;
}

/** Of the file that the setting `events` names. Throws ConfigError. */
export async function loadDeclaration(file: string): Promise<Declaration> {
  let loaded: unknown;
  try {
    loaded = await loadExport(file);
  } catch (error) {
    throw new ConfigError([`\`events\`: ${errorReason(error)}`]);
  }
  return parseDeclaration(loaded);
}

function problemsOf(value: Readonly<Record<string, unknown>>): string[] {
  const { channels = {}, user = {}, calls = {}, member } = value;
  return [
    ...Object.keys(value).flatMap((part) =>
      PARTS.includes(part) ? [] : [`\`events.${part}\`: a declaration has only ${PARTS.join(", ")}`],
    ),
    ...entriesOf(channels, "events.channels").flatMap(([events, place]) => schemaProblems(events, place)),
    ...schemaProblems(user, "events.user"),
    ...entriesOf(calls, "events.calls").flatMap(([call, place]) => callProblems(call, place)),
    ...(member === undefined ? [] : schemaProblem(member, "events.member")),
  ];
}

function callProblems(call: unknown, place: string): string[] {
  if (!isRecord(call)) return [`\`${place}\` has to be an object with \`input\` and \`output\``];
  const { input, output } = call;
  return [
    ...schemaProblem(input, `${place}.input`),
    ...(output === undefined ? [] : schemaProblem(output, `${place}.output`)),
  ];
}

function schemaProblems(events: unknown, place: string): string[] {
  if (!isRecord(events)) return [`\`${place}\` has to be an object of events with their schemas`];
  return entriesOf(events, place).flatMap(([schema, at]) => schemaProblem(schema, at));
}

/** Schemas of some libraries are functions. */
function schemaProblem(schema: unknown, place: string): string[] {
  const isSchema =
    ((typeof schema === "object" && schema !== null) || typeof schema === "function") &&
    "~standard" in schema &&
    isRecord(schema["~standard"]) &&
    typeof schema["~standard"].validate === "function";
  return isSchema ? [] : [`\`${place}\` has to be a schema of a Standard Schema library`];
}

function entriesOf(value: unknown, place: string): [value: unknown, place: string][] {
  return Object.entries(Object(value)).map(([name, one]) => [one, `${place}.${name}`]);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
