/** A server that runs on the `.env` of the server it takes the place of: what was written there is what clients meet. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { issued, issuedKey, root } from "../cli/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, dialNative, makeToken } from "../support/native-client.ts";
import { runCli, spawnCli, startProcess } from "../support/process.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { connectRawWebSocket } from "../support/raw-socket.ts";
import { startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(30_000);

const SHOP = { id: "shop", key: "shop-key", secret: "shop-secret" };
const OTHER = { id: "other", key: "other-key", secret: "other-secret" };

function folderWith(lines: readonly string[]): string {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, ".env"), `${lines.join("\n")}\n`);
  return cwd;
}

/** Without a configuration file; the port is free, whatever the lines say. */
function serve(lines: readonly string[]) {
  return startProcess({ cwd: folderWith(lines), config: null });
}

test("Sentixtech's .env: how many clients, how often they are asked, and that nobody needs a token (S37, S38, S39)", async () => {
  const server = await serve([
    "WEBSOCKET_HOST=127.0.0.1",
    "WEBSOCKET_PORT=8080",
    "WEBSOCKET_ENABLED=true",
    "WEBSOCKET_MAX_CLIENTS=2",
    "WEBSOCKET_PING_INTERVAL=17",
    "WEBSOCKET_DEBUG=false",
    "WEBSOCKET_AUTH_ENABLED=false",
    "WEBSOCKET_SSL_CERT_PATH=null",
    "WEBSOCKET_SSL_KEY_PATH=null",
    "WEBSOCKET_LOG_CHANNEL=daily",
    "WEBSOCKET_ERROR_LOG=storage/logs/websocket-errors.log",
  ]);
  const { url } = server;
  await server.prints(/Max connections +2\n/);
  const clients = [await connectNative(url), await connectNative(url)];
  expect(clients.map(({ welcome }) => welcome.activityTimeoutS)).toEqual([17, 17]);
  expect((await (await dialNative(url)).closed).code).toBe(4100);
});

test("Ody's .env: its secret key signs the tokens that let clients in (O1, O3, O4, O7)", async () => {
  const { url } = await serve([
    "WEBSOCKET_HOST=127.0.0.1",
    "WEBSOCKET_PORT=9502",
    "WEBSOCKET_SECRET_KEY=ody-secret",
    "WEBSOCKET_WORKER_COUNT=1",
    `PUSHER_APP_ID=${SHOP.id}`,
    `PUSHER_APP_KEY=${SHOP.key}`,
    `PUSHER_APP_SECRET=${SHOP.secret}`,
  ]);
  const client = await connectNative(url, { token: await makeToken({ sub: "7" }, "ody-secret") });
  expect(client.welcome.user?.id).toBe("7");
  const refused = await dialNative(url, { token: await makeToken({ sub: "7" }, SHOP.secret) });
  expect((await refused.closed).code).toBe(4009);
});

test("laravel-websockets' .env: its app over TLS, by a certificate that holds its key (B8, B14, B15)", async () => {
  const cwd = folderWith([
    "APP_NAME='Corner shop'",
    `PUSHER_APP_ID=${SHOP.id}`,
    `PUSHER_APP_KEY=${SHOP.key}`,
    `PUSHER_APP_SECRET=${SHOP.secret}`,
    "LARAVEL_WEBSOCKETS_PORT=6001",
    "LARAVEL_WEBSOCKETS_SSL_LOCAL_CERT=both.pem",
    "LARAVEL_WEBSOCKETS_SSL_PASSPHRASE=",
  ]);
  writeFileSync(join(cwd, "both.pem"), `${issued}${root}${issuedKey}`);
  const child = spawnCli(["serve", "--host", "127.0.0.1", "--port", "0"], { cwd });
  const [, port] = await child.prints(/https:\/\/127\.0\.0\.1:(\d+)/);
  const health = `https://localhost:${port}/health`;
  await eventually(async () => expect((await fetch(health, { tls: { ca: root } })).status).toBe(200));
  const shown = await runCli(["config", "show"], { cwd });
  expect(shown.stdout).toContain('"name":"Corner shop"');
});

test("Reverb's .env: its app below its path, and how large a message may be (B11)", async () => {
  const { url } = await serve([
    `REVERB_APP_ID=${SHOP.id}`,
    `REVERB_APP_KEY=${SHOP.key}`,
    `REVERB_APP_SECRET=${SHOP.secret}`,
    "REVERB_HOST=shop.example",
    "REVERB_PORT=443",
    "REVERB_SERVER_PORT=8080",
    "REVERB_SERVER_PATH=/ws",
    "REVERB_APP_MAX_CONNECTIONS=null",
    "REVERB_APP_MAX_MESSAGE_SIZE=10000",
    "REVERB_MAX_REQUEST_SIZE=20000",
  ]);
  const client = await connectPusher(url, { app: SHOP, prefix: "/ws" });
  client.socket.send('{"event":"pusher:ping"}'.padEnd(10_001));
  expect((await client.socket.closed).code).toBe(1009);
  const body = (bytes: number) => ({ body: '{"name":"e","channel":"c","data":"{}"}'.padEnd(bytes) });
  const call = (bytes: number) => signedFetch(`${url}/ws`, SHOP, "POST", "/events", body(bytes));
  expect((await call(20_000)).status).toBe(200);
  expect((await call(20_001)).status).toBe(413);
});

test("soketi's .env: its app, and that its clients may publish", async () => {
  const { url } = await serve([
    "SOKETI_DEBUG=0",
    "SOKETI_PORT=6001",
    `SOKETI_DEFAULT_APP_ID=${SHOP.id}`,
    `SOKETI_DEFAULT_APP_KEY=${SHOP.key}`,
    `SOKETI_DEFAULT_APP_SECRET=${SHOP.secret}`,
    "SOKETI_DEFAULT_APP_MAX_CONNS=-1",
    "SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES=true",
    "SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC=-1",
  ]);
  const [one, other] = [await connectPusher(url, { app: SHOP }), await connectPusher(url, { app: SHOP })];
  for (const client of [one, other]) await client.subscribe("private-x");
  // More than the ten a second that would be let through otherwise.
  for (let n = 0; n < 30; n++) one.send("client-n", String(n), "private-x");
  for (let n = 0; n < 30; n++) expect((await other.next("client-n")).data).toBe(String(n));
});

test("enable_client_messages is clientEvents of the app (B8)", async () => {
  const { url } = await startServer({ apps: [SHOP, { ...OTHER, clientEvents: true }] });
  const quiet = await connectPusher(url, { app: SHOP });
  await quiet.subscribe("private-x");
  quiet.send("client-e", "{}", "private-x");
  expect((await quiet.next("pusher:error")).data).toMatchObject({ message: expect.stringContaining("clientEvents") });
  const [one, other] = [await connectPusher(url, { app: OTHER }), await connectPusher(url, { app: OTHER })];
  for (const client of [one, other]) await client.subscribe("private-x");
  one.send("client-e", "{}", "private-x");
  expect((await other.next("client-e")).channel).toBe("private-x");
});

test("a disabled server says so in one line, listens nowhere and ends well (S40)", async () => {
  const cwd = folderWith(["WEBSOCKET_ENABLED=false"]);
  expect(await runCli(["serve"], { cwd })).toEqual({
    code: 0,
    signal: null,
    stdout: "fanfare is disabled (WEBSOCKET_ENABLED): nothing is started\n",
    stderr: "",
  });
  expect((await runCli(["serve", "--enabled", "false"], { cwd })).stdout).toContain("disabled (--enabled)");
});

test("names that disagree stop the start, in one line", async () => {
  const cwd = folderWith(["WEBSOCKET_PORT=8080", "SOKETI_PORT=6001"]);
  const { code, stderr, stdout } = await runCli(["serve"], { cwd });
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr.trim().split("\n")).toEqual([
    expect.stringContaining("WEBSOCKET_PORT is the number 8080 and SOKETI_PORT is the number 6001"),
  ]);
});

test("heartbeat_idle_time is activityTimeoutS and pongTimeoutS together: who is silent that long goes, who answers stays (A16, A17)", async () => {
  const { url } = await startServer({ activityTimeoutS: 0.5, pongTimeoutS: 2, apps: [SHOP] });
  const silent = await connectRawWebSocket(url, `/app/${SHOP.key}?protocol=7`);
  const answering = await connectPusher(url, { app: SHOP });
  expect(answering.activityTimeoutS).toBeLessThanOrEqual(1);
  await silent.closed;
  await answering.ping();
});
