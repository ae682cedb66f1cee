/** Certificates that change while the server runs: new clients get the new one, and no client is disconnected. */

import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { Authority, type Issued } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, type NativeTestClient } from "../support/native-client.ts";
import { startProcess } from "../support/process.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { handshake } from "../support/tls-client.ts";

const authority = new Authority();
const { root: ca } = authority;
const [first, second] = [authority.issue("first"), authority.issue("second")];
const trust = { tls: { ca } };

type TlsInput = NonNullable<ConfigInput["tls"]>;

/** Where the server looks; `put` replaces what is there. */
class Files {
  readonly folder = temporaryFolder();
  readonly tls = { certFile: join(this.folder, "cert.pem"), keyFile: join(this.folder, "key.pem") };

  constructor(issued: Issued) {
    this.put(issued);
  }

  put({ certFile, keyFile }: Issued): void {
    copyFileSync(certFile, this.tls.certFile);
    copyFileSync(keyFile, this.tls.keyFile);
  }
}

function start(tls: TlsInput, config: ConfigInput = {}) {
  return startServer({ ...config, tls: { watchS: 0, ...tls } }, { anonymous: true });
}

async function subjectAt(url: string): Promise<string | undefined> {
  return /^subject=CN = (.*)$/m.exec(await handshake(url, authority, []))?.[1];
}

test("a client that was there before the change stays, receives, and is received (A21)", async () => {
  const files = new Files(first);
  const server = await start(files.tls);
  const before = await connectPusher(server.url, trust);
  const witness = await connectNative(server.url, trust);
  await before.subscribe("private-room");
  await witness.subscribe("private-room", witness.permission("private-room"));
  files.put(second);
  expect(await server.reloadTls()).toBe(true);
  expect(await subjectAt(server.url)).toBe("second");
  const after = await connectPusher(server.url, trust);
  await after.subscribe("private-room");

  await server.toChannel("private-room").push({ event: "news", data: 1 });
  for (const client of [before, after, witness]) expect((await client.next("news")).channel).toBe("private-room");

  before.send("client-hello", "from before", "private-room");
  expect((await after.next("client-hello")).data).toBe("from before");
  expect((await witness.next("client-hello")).data).toBe("from before");
  after.send("client-hello", "from after", "private-room");
  expect((await before.next("client-hello")).data).toBe("from after");
  expect((await witness.next("client-hello")).data).toBe("from after");
  await after.silence(100, "client-hello");

  await server.toChannel("private-room").except([before.socketId, after.socketId]).push({ event: "secret", data: 1 });
  await witness.next("secret");
  await server.toChannel("private-room").push({ event: "end", data: 1 });
  for (const client of [before, after]) {
    await client.next("end");
    expect(client.socket.frames.map(({ event }) => event)).not.toContain("secret");
  }
});

test("every client gets its close when the server stops, by whichever certificate it came", async () => {
  const files = new Files(first);
  const server = await start(files.tls);
  const clients = [await connectPusher(server.url, trust)];
  for (const issued of [second, first]) {
    files.put(issued);
    await server.reloadTls();
    clients.push(await connectPusher(server.url, trust));
  }
  expect(server.connections.count()).toBe(3);
  await server.stop();
  for (const { socket } of clients) expect((await socket.closed).code).toBe(4200);
  await expect(
    connectPusher(`https://127.0.0.1:${new URL(clients[0]?.socket.url ?? "").port}`, trust),
  ).rejects.toThrow();
});

test("a request that is under way gets its answer", async () => {
  const files = new Files(first);
  const server = await start(files.tls);
  const { port } = server;
  const socket = connectTls({ host: "127.0.0.1", port, ca });
  let answer = "";
  socket.on("data", (chunk) => {
    answer += String(chunk);
  });
  const head = `POST /apps/${APP.id}/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;
  await new Promise<void>((resolve) => {
    socket.write(`${head}Content-Length: 2\r\n\r\n{`, () => resolve());
  });
  // What comes later has been read, so this has.
  expect(await subjectAt(server.url)).toBe("first");
  files.put(second);
  await server.reloadTls();
  expect(await subjectAt(server.url)).toBe("second");
  socket.write("}");
  await eventually(() => expect(answer).toStartWith("HTTP/1.1 401"));
  socket.destroy();
});

test("nothing new is nothing to do", async () => {
  const files = new Files(first);
  const server = await start(files.tls);
  expect(await server.reloadTls()).toBe(false);
  expect(await (await startServer()).reloadTls()).toBe(false);
});

test("files are looked at by the server itself, links that are swapped too", async () => {
  const folder = temporaryFolder();
  const [shown, releases] = [join(folder, "live"), [first, second]];
  for (const [index, { certFile, keyFile }] of releases.entries()) {
    const release = join(folder, `release-${index}`);
    mkdirSync(release);
    copyFileSync(certFile, join(release, "cert.pem"));
    copyFileSync(keyFile, join(release, "key.pem"));
  }
  symlinkSync("release-0", shown);
  const tls = { certFile: join(shown, "cert.pem"), keyFile: join(shown, "key.pem"), watchS: 0.05 };
  const server = await start(tls);
  expect(await subjectAt(server.url)).toBe("first");
  symlinkSync("release-1", `${shown}.new`);
  renameSync(`${shown}.new`, shown);
  await eventually(async () => expect(await subjectAt(server.url)).toBe("second"));
});

test("each name and the callers' authorities change with it", async () => {
  const files = new Files(first);
  const named = new Files(authority.issue("named-1", { names: "DNS:named.test" }));
  const [before, after] = [new Authority(), new Authority()];
  const clientCaFile = join(files.folder, "callers.pem");
  copyFileSync(before.rootFile, clientCaFile);
  const names = [{ serverName: "named.test", ...named.tls }];
  const server = await start({ ...files.tls, names, api: { port: 0, clientCaFile } });
  const caller = (by: Authority) => {
    const { certFile, keyFile } = by.issue(`caller-${crypto.randomUUID()}`, { use: "clientAuth" });
    return { ca, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
  };
  const [old, young] = [caller(before), caller(after)];
  const health = (tls: typeof old) => fetch(`${server.apiUrl}/health`, { tls, keepalive: false });
  expect((await health(old)).status).toBe(200);
  await expect(health(young)).rejects.toThrow();
  named.put(authority.issue("named-2", { names: "DNS:named.test" }));
  copyFileSync(after.rootFile, clientCaFile);
  expect(await server.reloadTls()).toBe(true);
  expect(await handshake(server.url, authority, ["-servername", "named.test"])).toContain("subject=CN = named-2");
  expect((await health(young)).status).toBe(200);
  await expect(health(old)).rejects.toThrow();
});

test("reloads that are asked for at once are done one after the other", async () => {
  const files = new Files(first);
  const server = await start(files.tls);
  files.put(second);
  expect((await Promise.all([1, 2, 3].map(() => server.reloadTls()))).sort()).toEqual([false, false, true]);
  expect(await subjectAt(server.url)).toBe("second");
});

test("a certificate that cannot be used leaves the old one in service, and the log says which and why", async () => {
  const files = new Files(first);
  const tls = { ...files.tls, watchS: 0.1 };
  const config = { tls, log: { format: "json" as const }, apps: [{ ...APP, anonymous: true }] };
  const server = await startProcess({ config });
  const client: NativeTestClient = await connectNative(server.url, trust);
  copyFileSync(second.certFile, files.tls.certFile);
  await server.prints(/"level":50.*old ones stay in service: `tls.keyFile`: .*key.pem is not the key of .*cert.pem/);
  expect(await subjectAt(server.url)).toBe("first");
  writeFileSync(files.tls.certFile, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  await server.prints(/"level":50.*`tls.certFile`: .*cert.pem: certificate 1 in it is damaged/);
  rmSync(files.tls.certFile);
  await server.prints(/"level":50.*`tls.certFile`: cannot read .*cert.pem: there is no such file/);
  expect(await subjectAt(server.url)).toBe("first");
  await client.ping();

  files.put(authority.issue("expired", { expired: true }));
  await server.prints(/"level":40.*`tls.certFile`: .*cert.pem: the certificate has expired on Jan/);
  expect(await subjectAt(server.url)).toBe("expired");
  files.put(second);
  await eventually(async () => expect(await subjectAt(server.url)).toBe("second"));
  await client.ping();
  expect(server.output.match(/is not the key of/g)).toHaveLength(1);
  expect(server.output).not.toContain("PRIVATE KEY");
}, 60_000);

test("where it is asked for, what cannot be used is refused", async () => {
  const files = new Files(first);
  const server = await start(files.tls);
  copyFileSync(second.keyFile, files.tls.keyFile);
  await expect(server.reloadTls()).rejects.toThrow("key.pem is not the key of the first certificate");
  expect(await subjectAt(server.url)).toBe("first");
});

test("a reload of the configuration counts on the API's port as well", async () => {
  const callers = new Authority();
  const { certFile, keyFile } = callers.issue("caller", { use: "clientAuth" });
  const shown = { ca, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
  const files = new Files(first);
  const tls = { ...files.tls, api: { port: 0, clientCaFile: callers.rootFile } };
  const server = await start(tls);
  const body = { name: "hello", channel: "news", data: "x" };
  const call = async () => (await signedFetch(server.apiUrl, APP, "POST", "/events", { body, tls: shown })).status;
  expect(await call()).toBe(200);
  files.put(second);
  await server.reload({ ...server.config, denyIps: ["127.0.0.1"] });
  expect(await subjectAt(server.url)).toBe("second");
  expect(await call()).toBe(403);
});

test("files are looked at from when the configuration says so", async () => {
  const files = new Files(first);
  const server = await start(files.tls);
  await server.reload({ ...server.config, tls: { ...files.tls, watchS: 0.05 } });
  files.put(second);
  await eventually(async () => expect(await subjectAt(server.url)).toBe("second"));
});
