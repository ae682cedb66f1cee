/**
 * Reads the configuration in a process of its own and prints it as JSON: the files that a configuration imports are read
 * anew, `.env` too, and one that never comes to an end, or ends the process, ends this one only.
 */

import { ConfigError, loadConfig, type Sources } from "../../config/load.ts";
import { encodeUnlimited } from "../../config/parse-value.ts";

const sources = (await Bun.stdin.json()) as Pick<Sources, "flags" | "file">;
let answer: object;
try {
  const { config } = await loadConfig({ ...sources, env: process.env, cwd: process.cwd() });
  answer = { config };
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  answer = { problems: error.message.split("\n") };
}
// On a line of its own: a configuration may print things as well.
await Bun.write(Bun.stdout, `\n${JSON.stringify(answer, encodeUnlimited)}\n`);
// A configuration may have left a timer or a connection behind.
process.exit(0);
