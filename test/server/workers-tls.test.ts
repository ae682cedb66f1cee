/** Certificates of a server with several workers: each worker has them, and each takes the new ones. */

import { expect, test } from "bun:test";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority, type Issued } from "../support/certificates.ts";
import { connectNative } from "../support/native-client.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { handshake } from "../support/tls-client.ts";
import { startWorkers } from "../support/workers.ts";

/** So many connections reach both of two workers, all but surely. */
const MANY = 12;

test("every worker has the certificate, an API port of its own included, and every worker takes a new one", async () => {
  const authority = new Authority();
  const folder = temporaryFolder();
  const [certFile, keyFile, RELOAD] = ["cert.pem", "key.pem", "reload.json"].map((name) => join(folder, name));
  if (!certFile || !keyFile || !RELOAD) throw new Error("Three names were asked for.");
  const put = (issued: Issued) => {
    copyFileSync(issued.certFile, certFile);
    copyFileSync(issued.keyFile, keyFile);
  };
  put(authority.issue("first"));
  writeFileSync(RELOAD, "{}");
  const caller = authority.issue("caller", { use: "clientAuth" });
  const tls = { certFile, keyFile, watchS: 0, api: { port: 0, clientCaFile: authority.rootFile } };
  const server = await startWorkers({ tls }, { env: { RELOAD } });
  const [, apiUrl = ""] = await server.prints(/^api (\S+)$/m);
  const asCaller = ["-cert", caller.certFile, "-key", caller.keyFile];
  const subjects = async (url: string) => {
    const found = new Set<string | undefined>();
    for (let n = 0; n < MANY; n++)
      found.add(/^subject=CN = (.*)$/m.exec(await handshake(url, authority, asCaller))?.[1]);
    return [...found];
  };
  expect(await subjects(server.url)).toEqual(["first"]);
  expect(await subjects(apiUrl)).toEqual(["first"]);
  const client = await connectNative(server.url, { tls: { ca: authority.root } });

  put(authority.issue("second"));
  server.signal("SIGHUP");
  await server.prints(/^reloaded /m);
  expect(await subjects(server.url)).toEqual(["second"]);
  expect(await subjects(apiUrl)).toEqual(["second"]);

  writeFileSync(certFile, "no certificate");
  server.signal("SIGHUP");
  await server.prints(/^not reloaded: ConfigError /m);
  expect(await subjects(server.url)).toEqual(["second"]);
  await client.ping();
  const [cert, key] = [readFileSync(caller.certFile, "utf8"), readFileSync(caller.keyFile, "utf8")];
  for (let n = 0; n < MANY; n++) {
    const headers = { Connection: "close" };
    const trust = { tls: { ca: authority.root, cert, key }, headers };
    expect((await signedFetch(apiUrl, APP, "GET", "/channels", trust)).status).toBe(200);
  }
}, 60_000);
