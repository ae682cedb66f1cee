/** What the tools take from the command line that starts them: where the server is, and what only a command can do. */

import type { Role } from "fanfare/wire/admin";

interface DashboardAddress {
  /** With a slash at its end, without the key. */
  readonly base: string;
  readonly key: string | undefined;
}

export interface McpHost {
  readonly version: string;
  /** Asked again when the server is not where it was. */
  readonly address: () => Promise<DashboardAddress>;
  /** Undefined where only the address may have a key in it. */
  readonly account: { readonly name: string; readonly password: string } | { readonly token: string } | undefined;
  /** The most that the agent may do. */
  readonly role: Role;
  /** What `fanfare doctor` finds. Undefined where the server is elsewhere, and its configuration not here. */
  readonly doctor: (() => Promise<unknown>) | undefined;
  /** The documentation: path below `docs/`, and text. */
  readonly docFiles: () => Promise<readonly (readonly [path: string, text: string])[]>;
  /** Why a call had no answer, for a person. */
  readonly unreachable: (url: string, error: unknown) => Error;
  /** Whether an error of the functions above says what can be put right: others are shown with their stack. */
  readonly isExpected: (error: unknown) => boolean;
  /** Calls back when the processes that started this one are gone. */
  readonly onOrphaned: (callBack: () => void) => void;
}
