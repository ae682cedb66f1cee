/** What openssl sees of a server's TLS. */

import type { Authority } from "./certificates.ts";
import { external } from "./external.ts";

/** One handshake by `openssl s_client` with these options, trusting the root alone: everything it printed. */
export async function handshake(url: string, { rootFile }: Authority, options: readonly string[]): Promise<string> {
  const { host } = new URL(url);
  const client = Bun.spawn([external("openssl"), "s_client", "-connect", host, "-CAfile", rootFile, ...options], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 10_000,
  });
  const [out, errors] = await Promise.all([new Response(client.stdout).text(), new Response(client.stderr).text()]);
  await client.exited;
  return `${out}\n${errors}`;
}
