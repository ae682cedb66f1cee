/** Why a server cannot listen, in a sentence: Bun's own says "Failed to start server". */

import { lookup } from "node:dns/promises";
import { errorReason } from "../../config/config-error.ts";
import { isUnixSocketPath } from "../../config/schema/fields.ts";
import type { Config } from "../../config/schema/schema.ts";

export class ListenError extends Error {
  override readonly name = "ListenError";
  /** As Bun has it: EADDRINUSE, EACCES, ENOTFOUND and so on. */
  readonly code: string;
  /** The setting that has to be another. */
  readonly setting: "host" | "port";

  constructor(code: string, setting: "host" | "port", sentence: string) {
    super(sentence);
    this.code = code;
    this.setting = setting;
  }
}

/** What has nothing to do with listening is given back as it is. */
export async function toListenError(error: unknown, { host, port }: Pick<Config, "host" | "port">): Promise<unknown> {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const code = String(error.code);
  if (isUnixSocketPath(host)) {
    const why = code === "EADDRINUSE" ? "something is there already" : errorReason(error);
    return new ListenError(code, "host", `\`host\`: cannot listen at ${host}: ${why}`);
  }
  const notHere = `\`host\` has to be an address of this machine, but is ${JSON.stringify(host)}`;
  // Bun reports an unknown name as in use, or where the system also asks the local network for names, as invalid.
  const mayBeUnknown = code === "EADDRINUSE" || code === "EINVAL";
  if (mayBeUnknown && !(await isKnown(host))) return new ListenError("ENOTFOUND", "host", notHere);
  switch (code) {
    case "EADDRINUSE":
      return new ListenError(
        code,
        "port",
        `port ${port} is already in use on ${host}: stop the other program or choose another`,
      );
    case "EACCES":
      return new ListenError(
        code,
        "port",
        `port ${port} on ${host} may not be opened by this user: choose one from 1024 up`,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new ListenError(code, "host", notHere);
  }
  return error;
}

function isKnown(host: string): Promise<boolean> {
  return lookup(host).then(
    () => true,
    () => false,
  );
}
