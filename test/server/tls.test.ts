/** TLS as clients see it: chains, names, versions, keys with a passphrase, and the API for callers with a certificate. */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { Authority } from "../support/certificates.ts";
import { connectNative, makeToken } from "../support/native-client.ts";
import { connectPusher, dialPusher, signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { handshake } from "../support/tls-client.ts";

const authority = new Authority();
const { root: ca } = authority;
const own = authority.issue("own", { names: "DNS:localhost,IP:127.0.0.1,DNS:own.test" });

type TlsInput = NonNullable<ConfigInput["tls"]>;

function start(tls: Partial<TlsInput> = {}, config: ConfigInput = {}) {
  const { certFile, keyFile } = own;
  return startServer({ ...config, tls: { certFile, keyFile, ...tls } }, { anonymous: true });
}

async function isServed(url: string): Promise<void> {
  const native = await connectNative(url, { tls: { ca }, token: await makeToken({ sub: "ada" }) });
  const pusher = await connectPusher(url, { tls: { ca } });
  await native.subscribe("news");
  await pusher.subscribe("news");
  const body = { name: "hello", channel: "news", data: "over TLS" };
  const { status } = await signedFetch(url, APP, "POST", "/events", { body, tls: { ca } });
  expect(status).toBe(200);
  expect((await native.next("hello")).data).toBe("over TLS");
  expect((await pusher.next("hello")).data).toBe("over TLS");
}

describe("the chain", () => {
  test("is sent, so that wss:// and https:// work for clients that only know the root (A21, S28)", async () => {
    await isServed((await start()).url);
  });

  test("may have its intermediate in a file of its own", async () => {
    await isServed((await start({ certFile: own.leafFile, caFile: authority.intermediateFile })).url);
  });

  test("is missed by such clients where it is not sent", async () => {
    const { url } = await start({ certFile: own.leafFile });
    await expect(connectPusher(url, { tls: { ca } })).rejects.toThrow();
    expect(await handshake(url, authority, [])).toContain("unable to verify the first certificate");
  });
});

test("lets clients in where an app takes none without TLS", async () => {
  const { certFile, keyFile } = own;
  const server = await startServer({ tls: { certFile, keyFile } }, { requireTls: true });
  await (await connectPusher(server.url, { tls: { ca } })).ping();
});

describe("the key", () => {
  test.each(["pkcs8", "traditional"] as const)("may have a passphrase, in its %s form (B14)", async (form) => {
    await isServed((await start({ keyFile: authority.lock(own, "open sesame", form), passphrase: "open sesame" })).url);
  });

  test("may be in the certificate's file", async () => {
    const both = `${own.certFile}.both`;
    await Bun.write(both, readFileSync(own.certFile, "utf8") + readFileSync(own.keyFile, "utf8"));
    await isServed((await start({ certFile: both, keyFile: both })).url);
  });
});

test("each name has its certificate, a wildcard too, and everybody else the default (SNI)", async () => {
  const chat = authority.issue("chat", { names: "DNS:chat.test" });
  const any = authority.issue("any", { names: "DNS:*.any.test" });
  const locked = { ...any, keyFile: authority.lock(any, "open sesame", "pkcs8"), passphrase: "open sesame" };
  const pick = ({ certFile, keyFile }: typeof chat) => ({ certFile, keyFile });
  const names = [
    { serverName: "chat.test", ...pick(chat) },
    { serverName: "*.any.test", ...pick(locked), passphrase: locked.passphrase },
  ];
  const { url } = await start({ names });
  for (const [asked, subject] of [
    ["chat.test", "chat"],
    ["CHAT.test", "chat"],
    ["a.any.test", "any"],
    ["any.test", "own"],
    ["a.b.any.test", "own"],
    ["other.test", "own"],
  ]) {
    expect(await handshake(url, authority, ["-servername", asked ?? ""])).toContain(`subject=CN = ${subject}\n`);
  }
  expect(await handshake(url, authority, ["-noservername"])).toContain("subject=CN = own\n");
  const client = await connectPusher(url, { tls: { ca, serverName: "chat.test" } });
  await client.ping();
});

describe("the version", () => {
  const names = [{ serverName: "own.test", certFile: own.certFile, keyFile: own.keyFile }];

  test("is 1.2 or 1.3, and nothing older", async () => {
    const { url } = await start();
    expect(await handshake(url, authority, ["-tls1_2"])).toContain("New, TLSv1.2");
    expect(await handshake(url, authority, ["-tls1_3"])).toContain("New, TLSv1.3");
    const old = ["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"];
    expect(await handshake(url, authority, old)).toContain("alert protocol version");
  });

  test("is 1.3 alone where that is said, by whatever name one comes", async () => {
    const { url } = await start({ minVersion: "1.3", names });
    for (const name of [["-noservername"], ["-servername", "own.test"]]) {
      expect(await handshake(url, authority, ["-tls1_2", ...name])).toContain("alert protocol version");
      expect(await handshake(url, authority, ["-tls1_3", ...name])).toContain("New, TLSv1.3");
    }
  });

  test("1.2 is spoken with the chosen ciphers only", async () => {
    const { url } = await start({ ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384", names });
    for (const name of [["-noservername"], ["-servername", "own.test"]]) {
      const other = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256", ...name];
      expect(await handshake(url, authority, other)).toContain("alert handshake failure");
      expect(await handshake(url, authority, ["-tls1_2", ...name])).toContain("ECDHE-ECDSA-AES256-GCM-SHA384");
    }
  });
});

describe("the API on a port of its own", () => {
  const names = [{ serverName: "own.test", certFile: own.certFile, keyFile: own.keyFile }];
  const callers = new Authority();
  const api = { port: 0, clientCaFile: callers.rootFile };
  const read = (file: string) => readFileSync(file, "utf8");
  const from = (by: Authority, options: Parameters<Authority["issue"]>[1] = {}) => {
    const { certFile, keyFile } = by.issue(`caller-${crypto.randomUUID()}`, { use: "clientAuth", ...options });
    return { ca, cert: read(certFile), key: read(keyFile) };
  };

  test("answers a caller whose certificate the authority has issued", async () => {
    const server = await start({ api });
    const client = await connectPusher(server.url, { tls: { ca } });
    await client.subscribe("news");
    const body = { name: "hello", channel: "news", data: "certified" };
    const { status } = await signedFetch(server.apiUrl, APP, "POST", "/events", { body, tls: from(callers) });
    expect(status).toBe(200);
    expect((await client.next("hello")).data).toBe("certified");
    const unsigned = await fetch(`${server.apiUrl}/apps/${APP.id}/channels`, { tls: from(callers) });
    expect(unsigned.status).toBe(401);
  });

  test.each([
    ["none", () => ({ ca })],
    ["one of another authority", () => from(authority)],
    ["one that has expired", () => from(callers, { expired: true })],
    ["one that is for servers", () => from(callers, { use: "serverAuth" })],
  ])("hangs up on a caller with %s, by whatever name it comes", async (_what, tls) => {
    const server = await start({ api, names });
    const shown: { ca: string; cert?: string; key?: string } = tls();
    await expect(signedFetch(server.apiUrl, APP, "GET", "/channels", { tls: shown })).rejects.toThrow();
    const named = { ...shown, serverName: "own.test" };
    await expect(signedFetch(server.apiUrl, APP, "GET", "/channels", { tls: named })).rejects.toThrow();
    await expect(fetch(`${server.apiUrl}/health`, { tls: shown })).rejects.toThrow();
  });

  test("asks for a certificate under each name", async () => {
    const { apiUrl } = await start({ api, names });
    for (const name of ["own.test", "other.test"]) {
      const seen = await handshake(apiUrl, authority, ["-tls1_2", "-servername", name]);
      expect(seen).toContain("Acceptable client certificate CA names");
      expect(seen).toMatch(/alert (handshake failure|certificate required)/);
    }
  });

  test("leaves the clients' port to clients, who need no certificate", async () => {
    const server = await start({ api });
    const refused = await signedFetch(server.url, APP, "GET", "/channels", { tls: from(callers) });
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ code: "forbidden", error: expect.stringContaining("`tls.api`") });
    const below = await fetch(`${server.url}/anything/apps/${APP.id}/channels`, { tls: { ca } });
    expect(below.status).toBe(403);
    const socket = await connectPusher(server.url, { tls: { ca } });
    await socket.ping();
    await expect(dialPusher(server.apiUrl, { tls: from(callers) })).rejects.toThrow("refused the handshake");
  });

  test("may be opened at another address", async () => {
    const server = await start({ api: { ...api, host: "127.0.0.2" } });
    const at = `https://127.0.0.2:${new URL(server.apiUrl).port}`;
    expect(server.apiUrl).toBe(at);
    expect(await handshake(at, authority, [])).toContain("Acceptable client certificate CA names");
    await expect(fetch(at.replace("127.0.0.2", "127.0.0.1"), { tls: from(callers) })).rejects.toThrow();
  });
});
