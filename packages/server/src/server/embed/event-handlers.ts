/** The program's handlers of clients' custom events. */

import type { Connection } from "../../domain/connection.ts";
import { CommandError } from "../../domain/error.ts";
import type { Awaitable } from "../../domain/ports.ts";
import { andThen } from "../../hub/awaitable.ts";
import type { DeclaredEvents } from "./declared-events.ts";
import type { Hooks } from "./hooks.ts";
import type { Handler } from "./types.ts";

type Act = (connection: Connection, data: unknown) => unknown;

export class EventHandlers {
  readonly #hooks: Pick<Hooks, "runMessageHooks" | "hasMessageHooks">;
  readonly #handlers = new Map<string, Handler>();
  /** Undefined where the program declares nothing. */
  declared: DeclaredEvents | undefined;

  constructor(hooks: Pick<Hooks, "runMessageHooks" | "hasMessageHooks">) {
    this.#hooks = hooks;
  }

  /** `*` for what nothing else handles. */
  set(event: string, handler: Handler): void {
    this.#handlers.set(event, handler);
  }

  /** The message hooks run first; `further` handles what the program does not. Throws CommandError where there is neither hook nor handler, or the data are not as declared. */
  call(connection: Connection, event: string, data: unknown, further?: Act): Awaitable<unknown> {
    const handler: Act | undefined = this.#handlers.get(event) ?? this.#handlers.get("*") ?? further;
    if (!handler && !this.#hooks.hasMessageHooks) {
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
