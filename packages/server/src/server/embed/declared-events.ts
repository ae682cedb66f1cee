/** Clients' custom events: the program's handlers of them, and its declaration of all events, against which they are held. */

import { type CallSchemas, createChecker, type Declaration, describeIssues, validate } from "@fanfare/schema";
import { ConfigError, errorReason } from "../../config/config-error.ts";
import { traitsOf } from "../../domain/channel.ts";
import type { Connection } from "../../domain/connection.ts";
import { CommandError } from "../../domain/error.ts";
import type { EventPublication } from "../../domain/message.ts";
import { payloadValue } from "../../domain/payload.ts";
import type { Awaitable, Guard } from "../../domain/ports.ts";
import { andThen } from "../../hub/awaitable.ts";
import { loadExport } from "../load-export.ts";
import type { Hooks } from "./hooks.ts";
import type { Handler } from "./types.ts";

export class DeclaredEvents {
  /** Refuses what clients publish and what is not as declared. What back ends and the program itself publish is theirs to check. */
  readonly guard: Guard;
  readonly #calls: Declaration["calls"];

  constructor(declaration: Declaration) {
    const checker = createChecker(declaration);
    this.#calls = declaration.calls;
    this.guard = {
      publication: ({ from, channel, event, data }: EventPublication) => {
        // The data in an encrypted channel are readable for its members only.
        if (from === undefined || traitsOf(channel).encrypted) return undefined;
        const problem = checker.channelEvent(channel, event, payloadValue(data));
        if (problem) throw new CommandError(problem.code, problem.message);
        return undefined;
      },
    };
  }

  /** What the handler of a call gets: the schema's output. Throws CommandError. */
  input(call: string, data: unknown): unknown {
    const schemas = this.#schemasOf(call);
    if (!schemas) return data;
    const { issues, value } = validate(schemas.input, data);
    if (!issues) return value;
    throw new CommandError("data_invalid", `The data of ${call} are invalid: ${describeIssues(issues)}`);
  }

  /** What the client gets of an answer: the schema's output. Throws Error, since it is the handler's fault. */
  output(call: string, answer: unknown): unknown {
    const schema = this.#schemasOf(call)?.output;
    if (!schema) return answer;
    const { issues, value } = validate(schema, answer);
    if (!issues) return value;
    throw new Error(`The handler of ${call} gave an answer that is not as declared: ${describeIssues(issues)}`);
  }

  /** Undefined where no calls are declared. Throws CommandError where others are. */
  #schemasOf(call: string): CallSchemas | undefined {
    if (!this.#calls) return undefined;
    if (Object.hasOwn(this.#calls, call)) return this.#calls[call];
    throw new CommandError("unknown_command", `The call ${JSON.stringify(call.slice(0, 64))} is not declared.`);
  }
}

const PARTS = ["channels", "user", "calls", "member"];

/** Checks that a value is a declaration: a program in JavaScript, or a file, may have anything in its place. Throws ConfigError with one line for each problem. */
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

type Act = (connection: Connection, data: unknown) => unknown;

export class EventHandlers {
  readonly #hooks: Pick<Hooks, "runMessageHooks" | "hasListener">;
  readonly #handlers = new Map<string, Handler>();
  /** Undefined where the program declares nothing. */
  declared: DeclaredEvents | undefined;

  constructor(hooks: Pick<Hooks, "runMessageHooks" | "hasListener">) {
    this.#hooks = hooks;
  }

  /** `*` for what nothing else handles. */
  set(event: string, handler: Handler): void {
    this.#handlers.set(event, handler);
  }

  /** The message hooks run first; `further` handles what the program does not. Throws CommandError where there is neither hook nor handler, or the data are not as declared. */
  call(connection: Connection, event: string, data: unknown, further?: Act): Awaitable<unknown> {
    const handler: Act | undefined = this.#handlers.get(event) ?? this.#handlers.get("*") ?? further;
    if (!handler && !this.#hooks.hasListener("message", undefined)) {
      const name = JSON.stringify(event.slice(0, 64));
      throw new CommandError("unknown_command", `Nothing on this server handles ${name}.`);
    }
    const { declared } = this;
    const input = declared ? declared.input(event, data) : data;
    return andThen(this.#hooks.runMessageHooks(connection, { event, data }), () => {
      const answer = handler?.(connection, input);
      return declared && handler ? andThen(answer, (value) => declared.output(event, value)) : answer;
    });
  }
}
