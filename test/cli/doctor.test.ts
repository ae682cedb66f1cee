/** `fanfare doctor`: each check with what it is for, and the command as a whole against real servers and a real proxy. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { checkApps } from "../../packages/server/src/cli/doctor/apps.ts";
import { checkCertificate } from "../../packages/server/src/cli/doctor/certificate.ts";
import type { Finding } from "../../packages/server/src/cli/doctor/finding.ts";
import {
  checkFiles,
  checkRuntime,
  checkStateDir,
  clockFindings,
  offsetFindings,
} from "../../packages/server/src/cli/doctor/machine.ts";
import { checkProxy } from "../../packages/server/src/cli/doctor/proxy.ts";
import { type ConfigInput, parseConfig } from "../../packages/server/src/config/load.ts";
import { atEnd } from "../support/at-end.ts";
import { startProcess } from "../support/process.ts";
import { APP, startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { issued, issuedKey, lockedKey, root, selfSigned, selfSignedKey } from "./certificates.ts";
import { folderWith, run } from "./run.ts";

setDefaultTimeout(20_000);

const strong = "0123456789abcdef0123";

/** `level: sentence`. */
const told = (all: readonly Finding[]) => all.map(({ level, says }) => `${level}: ${says}`);

async function doctor(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) {
  const { code, stdout } = await run(["doctor", "--json", ...args], { cwd, env });
  const all: Finding[] = JSON.parse(stdout);
  return { code, of: (check: string) => told(all.filter((one) => one.check === check)), all };
}

describe("fanfare doctor", () => {
  test("finds nothing wrong with a new folder, in words", async () => {
    const { code, stdout } = await run(["doctor", "--port", "0"]);
    expect(code).toBe(0);
    for (const check of ["config", "runtime", "port", "files", "tls", "apps", "mode", "state", "clock"]) {
      expect(stdout).toMatch(new RegExp(`^(ok|warning) +${check} `, "m"));
    }
    expect(stdout).toMatch(/\nno problems, (no|\d+) warnings?\n$/);
  });

  test("tells every problem of the configuration, with exit code 1", async () => {
    const cwd = await folderWith({ prot: 1, limits: { frameBytes: "x" } });
    const { code, of, all } = await doctor([], cwd);
    expect(code).toBe(1);
    expect(of("config").join("\n")).toContain("problem: unknown key `prot`: did you mean `port`?");
    expect(all.filter(({ level }) => level !== "ok").every(({ change }) => change !== undefined)).toBe(true);
  });

  test("knows a running Fanfare on the port, and compares the clocks", async () => {
    const { port } = await startServer();
    const { code, of } = await doctor(["--port", String(port), "--host", "127.0.0.1"], temporaryFolder());
    expect({ code, port: of("port") }).toEqual({ code: 0, port: [`ok: ${port}: a running Fanfare answers`] });
    expect(of("clock")).toContain("ok: the server's clock agrees with this one");
  });

  test("names the program that holds the port", async () => {
    const stranger = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello") });
    atEnd(() => stranger.stop(true));
    const { code, of } = await doctor(["--port", String(stranger.port), "--host", "127.0.0.1"], temporaryFolder());
    expect(code).toBe(1);
    expect(of("port")).toEqual([expect.stringMatching(/is held by .*, which is no Fanfare$/)]);
    if (process.platform === "linux") expect(of("port").join()).toContain(`(process ${process.pid})`);
  });

  test("says that the host is none of this machine's", async () => {
    const { code, of } = await doctor(["--host", "192.0.2.1", "--port", "9501"], temporaryFolder());
    expect(code).toBe(1);
    expect(of("port")).toEqual([expect.stringMatching(/^problem: 9501 on 192.0.2.1 cannot be opened: /)]);
  });

  test("looks through --url as the demo app, where the server here has no other", async () => {
    const cwd = temporaryFolder();
    const { url } = await startProcess({ cwd, config: null });
    const { code, of } = await doctor(["--port", "0", "--url", url, "--watch", "1"], cwd);
    expect(code).toBe(0);
    expect(of("streams")).toEqual([expect.stringMatching(/^ok: HTTP streams pass: .* stayed open for 1 s$/)]);
  });

  test("looks through --url", async () => {
    const server = await startServer();
    const cwd = await folderWith({ apps: [APP] });
    const good = await doctor(["--port", "0", "--url", server.url, "--watch", "1"], cwd);
    expect(good.code).toBe(0);
    expect(good.of("proxy")).toEqual([
      `ok: GET ${server.url}/health answers`,
      "ok: a WebSocket handshake passes, and the first message comes through",
    ]);
    expect(good.of("streams")).toEqual([expect.stringMatching(/^ok: HTTP streams pass: .* stayed open for 1 s$/)]);
    const gone = await doctor(["--port", "0", "--url", "http://127.0.0.1:1"], cwd);
    expect(gone.code).toBe(1);
    expect(gone.of("proxy")).toEqual([expect.stringMatching(/^problem: http:\/\/127.0.0.1:1 cannot be reached: /)]);
  });

  test("says what is wrong with the certificate", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "cert.pem"), selfSigned);
    writeFileSync(join(cwd, "key.pem"), issuedKey);
    const { code, of } = await doctor(["--port", "0", "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem"], cwd);
    expect(code).toBe(1);
    expect(of("tls")).toContain("problem: the key is not that of the certificate");
  });
});

describe("the certificate", () => {
  const nowMs = Date.UTC(2040, 0, 1);

  async function check(
    cert: string,
    key: string,
    { passphrase, at = nowMs }: { passphrase?: string; at?: number } = {},
  ) {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "cert.pem"), cert);
    writeFileSync(join(cwd, "key.pem"), key);
    const tls = { certFile: "cert.pem", keyFile: "key.pem", ...(passphrase !== undefined && { passphrase }) };
    return told(await checkCertificate(parseConfig({ tls }).tls, cwd, at));
  }

  test("with its key, names and whole chain is fine", async () => {
    expect(await check(issued + root, issuedKey)).toEqual([
      "ok: certificate and key belong together",
      "ok: the certificate is good for 29219 more days",
      "ok: it is for ws.example.com, localhost, 127.0.0.1",
      "ok: the chain is complete (2)",
    ]);
  });

  test.each([
    [
      "has expired",
      issued + root,
      Date.UTC(2120, 0, 3),
      "problem: the certificate has expired on Jan  1 00:00:00 2120 GMT",
    ],
    ["ends soon", issued + root, Date.UTC(2119, 11, 25), "warning: the certificate is good for 7 more days"],
    [
      "has not begun",
      issued + root,
      Date.UTC(2019, 0, 1),
      "problem: the certificate begins only on Jan  1 00:00:00 2020 GMT",
    ],
    ["lacks its issuer", issued, nowMs, "warning: who issued it is not in the file, nor a known root"],
    [
      "is followed by a stranger",
      issued + selfSigned,
      nowMs,
      "problem: certificate 2 in the file did not issue certificate 1",
    ],
  ])("that %s is told of", async (_what, cert, at, finding) => {
    expect(await check(cert, issuedKey, { at })).toContain(finding);
  });

  test("that is self-signed and names no host is told of", async () => {
    const all = await check(selfSigned, selfSignedKey);
    expect(all).toContain(
      "warning: the certificate is self-signed: clients refuse it unless they are set up to trust it",
    );
    expect(all).toContain("problem: the certificate names no host (no subjectAltName)");
  });

  test("needs a key that can be read", async () => {
    expect(await check(issued, root)).toContain("problem: key.pem: there is no private key in it");
    expect(await check(issued, lockedKey)).toContain(
      "problem: key.pem: the key is encrypted, and no passphrase is set",
    );
    expect(await check(issued, lockedKey, { passphrase: "x" })).toContain(
      "problem: key.pem: the passphrase does not open the key",
    );
    expect(await check(issued, lockedKey, { passphrase: "open-sesame" })).toContain(
      "ok: certificate and key belong together",
    );
    expect(await check(issuedKey, issuedKey)).toEqual(["problem: cert.pem holds no certificate"]);
  });

  test("of each further name is looked at too, and so are the authorities of the API's callers", async () => {
    const cwd = temporaryFolder();
    for (const [name, text] of Object.entries({ issued: issued + root, issuedKey, selfSigned, root })) {
      writeFileSync(join(cwd, name), text);
    }
    const own = { certFile: "issued", keyFile: "issuedKey" };
    const names = [{ serverName: "chat.example.com", certFile: "selfSigned", keyFile: "issuedKey" }];
    const checked = async (clientCaFile: string, at = nowMs) =>
      told(
        await checkCertificate(parseConfig({ tls: { ...own, names, api: { port: 1, clientCaFile } } }).tls, cwd, at),
      );
    const all = await checked("root");
    expect(all[0]).toBe("ok: certificate and key belong together");
    expect(all).toContain("problem: chat.example.com: the key is not that of the certificate");
    expect(all.at(-1)).toBe("ok: callers of the API need one by root");
    expect((await checked("issuedKey")).at(-1)).toBe("problem: issuedKey holds no certificate");
    expect((await checked("missing")).at(-1)).toBe("problem: missing cannot be used: there is no such file");
    expect((await checked("root", Date.UTC(2120, 0, 3))).at(-1)).toContain(
      "problem: root: the certificate has expired",
    );
  });

  test("may have its issuer in a file of its own", async () => {
    const cwd = temporaryFolder();
    for (const [name, text] of Object.entries({ issued, issuedKey, root })) writeFileSync(join(cwd, name), text);
    const tls = { certFile: "issued", keyFile: "issuedKey", caFile: "root" };
    expect(told(await checkCertificate(parseConfig({ tls }).tls, cwd, nowMs))).toContain(
      "ok: the chain is complete (2)",
    );
  });

  test("is not missed where TLS is off", async () => {
    expect(told(await checkCertificate(undefined, "/", nowMs))).toEqual(["ok: off; a proxy in front may serve wss://"]);
  });
});

describe("the apps", () => {
  const check = async (input: ConfigInput) =>
    told(await checkApps(parseConfig({ stateDir: temporaryFolder(), ...input })));
  const app = { id: "a", key: "the-key-of-a", secret: strong };

  test("are fine when they have secrets of their own", async () => {
    expect(await check({ mode: "production", apps: [app] })).toEqual(["ok: a", "ok: production"]);
  });

  test.each<[string, ConfigInput, string]>([
    ["none in production", { mode: "production" }, "problem: none is configured, and production makes no demo app"],
    [
      "a short secret",
      { apps: [{ ...app, secret: "short" }] },
      "warning: a secret of a has only 5 characters: it can be guessed",
    ],
    [
      "one in production",
      { mode: "production", apps: [{ ...app, secret: "short" }] },
      "problem: a secret of a has only 5 characters: it can be guessed",
    ],
    [
      "a dull secret",
      { apps: [{ ...app, secret: "aaaaaaaaaaaaaaaaaaaa" }] },
      "warning: a secret of a is made of very few different characters",
    ],
    [
      "the key as secret",
      { apps: [{ ...app, secret: app.key }] },
      "problem: the secret of a is its key, which is public",
    ],
    [
      "an open door",
      { mode: "production", apps: [{ ...app, anonymous: true }] },
      "warning: a lets anybody in without a token (anonymous)",
    ],
    ["a disabled app", { apps: [{ ...app, enabled: false }] }, "warning: a is disabled and refuses all clients"],
    [
      "a shared secret",
      { apps: [app, { ...app, id: "b", key: "kb" }] },
      "warning: a and b have the same secret: what one signs counts for the other",
    ],
  ])("are told of with %s", async (_what, input, finding) => {
    expect(await check(input)).toContain(finding);
  });

  test("are told of when one is the demo app, in production only", async () => {
    const stateDir = temporaryFolder();
    writeFileSync(join(stateDir, "demo-app.json"), JSON.stringify({ id: "demo", key: "demo-key", secret: strong }));
    const finding = "problem: a has the key or the secret of the demo app, in production";
    expect(await check({ stateDir, mode: "production", apps: [app] })).toContain(finding);
    expect(await check({ stateDir, apps: [app] })).not.toContain(finding);
  });
});

describe("the machine", () => {
  const config = (input: ConfigInput = {}) => parseConfig(input);

  test("needs a Bun that is not too old", () => {
    expect(checkRuntime("1.4.9", "1.4.5").level).toBe("ok");
    expect(checkRuntime("1.5.0", "1.4.5").level).toBe("ok");
    expect(checkRuntime("1.3.9", "1.4.5")).toMatchObject({
      level: "problem",
      says: "Bun 1.3.9 is older than 1.4.5, which Fanfare is made for",
    });
    expect(checkRuntime("2.0.0", "1.4.5").level).toBe("warning");
  });

  test("needs as many files as connections were asked for, and more than a desktop's limit", () => {
    const asked = config({ limits: { connections: 5000 } });
    expect(checkFiles(asked, true, 5064).level).toBe("ok");
    expect(checkFiles(asked, true, 5063)).toMatchObject({
      level: "warning",
      says: "5063 open files are allowed, which leaves room for 4999 connections, but limits.connections is 5000",
    });
    expect(checkFiles(config(), false, 20_000).level).toBe("ok");
    expect(checkFiles(config(), false, 1024).level).toBe("warning");
    expect(checkFiles(config(), true, Number.POSITIVE_INFINITY).level).toBe("ok");
  });

  test("needs a folder for state where the demo app has to be kept", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "file"), "");
    expect((await checkStateDir(config({ stateDir: "new/folder" }), cwd)).level).toBe("ok");
    expect(await checkStateDir(config({ stateDir: "file" }), cwd)).toMatchObject({
      level: "problem",
      says: "file cannot be written to: it is a file; the demo app is kept there",
    });
    const withApp = config({ stateDir: "file/below", apps: [{ id: "a", key: "k", secret: strong }] });
    expect(await checkStateDir(withApp, cwd)).toMatchObject({ level: "warning" });
  });

  test("needs a clock that goes, and is right", () => {
    const nowMs = Date.UTC(2040, 0, 1);
    const steady = { wallMs: 50, steadyMs: 50 };
    expect(told(clockFindings(nowMs, steady))).toEqual(["ok: the clock says 2040-01-01T00:00:00Z"]);
    expect(clockFindings(0, steady)[0]?.level).toBe("problem");
    expect(clockFindings(nowMs, { wallMs: 50, steadyMs: 0 })[0]?.level).toBe("problem");
    expect(clockFindings(nowMs, { wallMs: 3_600_050, steadyMs: 50 })[0]?.level).toBe("warning");
    const header = new Date(nowMs).toUTCString();
    expect(offsetFindings(header, nowMs + 2000, 600)[0]?.level).toBe("ok");
    expect(told(offsetFindings(header, nowMs + 60_000, 600))).toEqual([
      "warning: the server's clock is 60 s behind this one",
    ]);
    expect(told(offsetFindings(header, nowMs - 700_000, 600))).toEqual([
      "problem: the server's clock is 700 s ahead of this one: signed calls from here are refused",
    ]);
    expect(offsetFindings(null, nowMs, 600)).toEqual([]);
  });
});

describe("through a proxy", () => {
  const streams = { http: parseConfig({}).http, watchMs: 100 };

  /** Passes requests on by HTTP alone, and handshakes only when told to. */
  async function proxy(to: number, passes: { upgrade: boolean }): Promise<string> {
    const server = createServer((request, response) => {
      fetch(`http://127.0.0.1:${to}${request.url}`).then(async (answer) => {
        response.writeHead(answer.status, { "content-type": "application/json" });
        response.end(await answer.text());
      });
    });
    if (passes.upgrade)
      server.on("upgrade", (request: IncomingMessage, client) => {
        const upstream = connect(to, "127.0.0.1");
        const headers = request.rawHeaders
          .map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`))
          .join("");
        upstream.write(`GET ${request.url} HTTP/1.1\r\n${headers}\r\n`);
        upstream.pipe(client).pipe(upstream);
        upstream.on("error", () => client.destroy());
        client.on("error", () => upstream.destroy());
      });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    atEnd(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test("that passes handshakes on, all is well", async () => {
    const { port } = await startServer();
    const { findings, date } = await checkProxy(await proxy(port, { upgrade: true }), APP.key, streams);
    expect(findings.filter(({ check }) => check === "proxy").map(({ level }) => level)).toEqual(["ok", "ok"]);
    expect(date).not.toBeNull();
  });

  test("that drops the Upgrade header, it is said what to set", async () => {
    const { port } = await startServer();
    const { findings } = await checkProxy(await proxy(port, { upgrade: false }), APP.key, streams);
    expect(findings.slice(0, 2).map(({ level }) => level)).toEqual(["ok", "problem"]);
    expect(findings[1]?.says).toMatch(/^the WebSocket handshake was answered \d{3} and not 101$/);
    expect(findings[1]?.change).toContain("proxy_set_header Upgrade");
  });

  test.each([
    [302, { location: "https://a.example/health" }, "is sent on to https://a.example/health"],
    [404, {}, "is answered 404"],
    [502, {}, "is answered 502 by the proxy"],
    [200, {}, "is answered 200, and not by Fanfare"],
  ])("that answers the health check with %i, it is said so", async (status, headers, says) => {
    const stranger = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response("no", { status, headers }),
    });
    atEnd(() => stranger.stop(true));
    const { findings } = await checkProxy(`http://127.0.0.1:${stranger.port}`, "k", streams);
    expect(findings[0]).toMatchObject({ level: "problem", says: expect.stringContaining(says) });
  });
});
