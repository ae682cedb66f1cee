/**
 * What guards say of a command, a publication or an API call: each is asked in its order, about what the one before it made of it. Those
 * that have no say in a thing are left out beforehand, and no promise is made where none of the others makes one.
 */

import type { App } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import type { Command, EventPublication } from "../domain/message.ts";
import type { Awaitable, Guard, SignedCall } from "../domain/ports.ts";

type Asked = "command" | "publication" | "apiCall";
/** A guard that has that say. */
type Having<Name extends Asked> = Guard & Required<Pick<Guard, Name>>;

export class GuardChain {
  readonly all: readonly Guard[];
  readonly #command: readonly Having<"command">[];
  readonly #publication: readonly Having<"publication">[];
  readonly #apiCall: readonly Having<"apiCall">[];

  constructor(guards: readonly Guard[]) {
    this.all = guards;
    this.#command = having(guards, "command");
    this.#publication = having(guards, "publication");
    this.#apiCall = having(guards, "apiCall");
  }

  command(connection: Connection, command: Command, from = 0): Awaitable<Command> {
    const guards = this.#command;
    let passed = command;
    for (let at = from; at < guards.length; at++) {
      const verdict = guards[at]?.command(connection, passed);
      if (verdict === undefined) continue;
      if (verdict instanceof Promise) return this.#restOfCommand(connection, passed, verdict, at + 1);
      passed = verdict ?? passed;
    }
    return passed;
  }

  /** A function of its own: a closure in the loop has a scope made for each guard, even where none makes a promise. */
  async #restOfCommand(
    connection: Connection,
    command: Command,
    verdict: Promise<Command | undefined>,
    from: number,
  ): Promise<Command> {
    return this.command(connection, (await verdict) ?? command, from);
  }

  publication(publication: EventPublication, from = 0): Awaitable<EventPublication> {
    let passed = publication;
    for (let at = from; at < this.#publication.length; at++) {
      const verdict = this.#publication[at]?.publication(passed);
      if (verdict === undefined) continue;
      if (verdict instanceof Promise) return this.#restOfPublication(passed, verdict, at + 1);
      passed = verdict ?? passed;
    }
    return passed;
  }

  async #restOfPublication(
    publication: EventPublication,
    verdict: Promise<EventPublication | undefined>,
    from: number,
  ): Promise<EventPublication> {
    return this.publication((await verdict) ?? publication, from);
  }

  apiCall(app: App, call: SignedCall, from = 0): Awaitable<void> {
    for (let at = from; at < this.#apiCall.length; at++) {
      const verdict = this.#apiCall[at]?.apiCall(app, call);
      if (verdict instanceof Promise) return this.#restOfApiCall(app, call, verdict, at + 1);
    }
  }

  async #restOfApiCall(app: App, call: SignedCall, verdict: Promise<unknown>, from: number): Promise<void> {
    await verdict;
    return this.apiCall(app, call, from);
  }
}

function having<Name extends Asked>(guards: readonly Guard[], name: Name): Having<Name>[] {
  return guards.filter((guard): guard is Having<Name> => guard[name] !== undefined);
}
