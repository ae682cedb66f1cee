/** The declaration of an application's events, held against what clients publish and call. */

import { type CallSchemas, createChecker, type Declaration, describeIssues, validate } from "@fanfare/schema";
import { traitsOf } from "../../domain/channel.ts";
import { CommandError } from "../../domain/error.ts";
import type { EventPublication } from "../../domain/message.ts";
import { payloadValue } from "../../domain/payload.ts";
import type { Guard } from "../../domain/ports.ts";

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
