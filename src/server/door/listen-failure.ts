/** Why a server cannot listen, in a sentence: Bun's own says "Failed to start server". */

import type { Config } from "../../config/schema.ts";

/** With the code that Bun gave; anything else is given back as it is. The sentence ends where a caller may add how to choose. */
export function listenFailure(error: unknown, { host, port }: Pick<Config, "host" | "port">): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const sentence = sentenceFor(error.code, host, port);
  return sentence === undefined ? error : Object.assign(new Error(sentence, { cause: error }), { code: error.code });
}

function sentenceFor(code: unknown, host: string, port: number): string | undefined {
  switch (code) {
    case "EADDRINUSE":
      return `port ${port} is already in use on ${host}: stop the other program or choose another`;
    case "EACCES":
      return `port ${port} on ${host} may not be opened by this user: choose one from 1024 up`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${host} is no address of this machine: choose another`;
  }
  return undefined;
}
