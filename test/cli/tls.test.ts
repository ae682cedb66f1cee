/** `fanfare publish` and `fanfare listen` against a server with TLS: whom they trust, and what they say when they do not. */

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { Authority, type IssueOptions } from "../support/certificates.ts";
import { runCli, spawnCli, startProcess } from "../support/process.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Several processes, one after the other, on a machine that may have much to do. */
const PATIENCE_MS = 60_000;

const authority = new Authority();
const trusting = { NODE_EXTRA_CA_CERTS: authority.rootFile };
const app = ["--app", APP.id, "--key", APP.key, "--secret", APP.secret];
const event = ["publish", "news", "hello", "over TLS"];

async function start(options: IssueOptions = {}, tls: Partial<NonNullable<ConfigInput["tls"]>> = {}) {
  const { certFile, keyFile } = authority.issue(`server-${crypto.randomUUID()}`, options);
  return startProcess({ config: { tls: { certFile, keyFile, ...tls } } });
}

test(
  "they trust the authorities that NODE_EXTRA_CA_CERTS names",
  async () => {
    const { url } = await start();
    const listening = spawnCli(["listen", "news", "--url", url, ...app], { env: trusting });
    await listening.prints(/listening on news/);
    expect((await runCli([...event, "--url", url, ...app], { env: trusting })).stdout).toBe(
      "published hello to news\n",
    );
    await listening.prints(/hello {2}over TLS/);
  },
  PATIENCE_MS,
);

test.each<[string, IssueOptions, Record<string, string>, string]>([
  ["an unknown authority", {}, {}, "its authority is not known; trust it with NODE_EXTRA_CA_CERTS=FILE"],
  ["another name", { names: "DNS:other.test" }, trusting, "it is for another name"],
  ["an end that has passed", { expired: true }, trusting, "it has expired"],
])(
  "they say that the certificate has %s",
  async (_what, issue, env, sentence) => {
    const { url } = await start(issue);
    const published = await runCli([...event, "--url", url, ...app], { env });
    expect(published.code).toBe(1);
    expect(published.stderr).toStartWith(`fanfare: the certificate of ${url} is refused here: ${sentence}`);
    const listened = await runCli(["listen", "news", "--url", url, ...app], { env });
    expect(listened.code).toBe(1);
    const socketUrl = url.replace("https", "wss");
    expect(listened.stderr).toStartWith(`fanfare: the certificate of ${socketUrl} is refused here: ${sentence}`);
  },
  PATIENCE_MS,
);

test(
  "publish calls the API's own port, with the certificate it is given",
  async () => {
    const held = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const free = held.port;
    held.stop(true);
    const api = { port: free, clientCaFile: authority.rootFile };
    const server = await start({}, { api });
    const caller = authority.issue("caller", { use: "clientAuth" });
    const shown = ["--client-cert", caller.certFile, "--client-key", caller.keyFile];
    const cwd = temporaryFolder();
    const own = authority.issue("own");
    const tls = { certFile: own.certFile, keyFile: own.keyFile, api };
    const config = { host: "127.0.0.1", port: server.port, apps: [APP], tls };
    writeFileSync(join(cwd, "fanfare.config.json"), JSON.stringify(config));
    const run = (...more: string[]) => runCli([...event, ...more], { cwd, env: trusting });
    expect((await run(...shown)).stdout).toBe("published hello to news\n");
    expect((await run()).stderr).toStartWith(`fanfare: cannot reach https://127.0.0.1:${free}`);
    expect((await run("--url", server.url, ...shown)).stderr).toContain("has a port of its own here");
    expect((await run("--client-cert", caller.certFile)).stderr).toContain("belong together");
    expect((await run("--client-cert", "gone.pem", "--client-key", caller.keyFile)).stderr).toContain(
      "cannot read gone.pem: there is no such file",
    );
  },
  PATIENCE_MS,
);
