/** docs/deploy.md: its links lead somewhere, its settings exist, and what it says you see is what you see (A54). */

import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { dialNative } from "../support/native-client.ts";
import { runCli } from "../support/process.ts";
import { connectPusher, dialPusher, signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

setDefaultTimeout(30_000);

const DOCS = join(import.meta.dir, "..", "..", "docs");
const TEXT = readFileSync(join(DOCS, "deploy.md"), "utf8");
const ROWS =
  TEXT.split("## When it does not work")[1]
    ?.split("\n")
    .filter((line) => line.startsWith("| ")) ?? [];

const server = await startServer({
  host: "127.0.0.1",
  apps: [APP, { id: "secure", key: "secure-key", secret: "secure-secret", requireTls: true }],
});

/** There is one row that a reader would find by what is shown: every quote and number in its first column is in that. */
function expectRow(...seen: readonly string[]): void {
  const shown = seen.join(" ");
  const found = ROWS.filter((row) => {
    const signs = [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`|(?:code|answers) (\d+)/g)];
    const isQuoting = signs.some(([, quote]) => quote !== undefined);
    return isQuoting && signs.every(([, quote, number]) => shown.includes(quote ?? number ?? ""));
  });
  expect([shown, found.length]).toEqual([shown, 1]);
}

test("the links lead to files and headings that are there", () => {
  const links = [...TEXT.matchAll(/\]\(([^)]+)\)/g)].map(([, link = ""]) => link);
  expect(links.length).toBeGreaterThan(8);
  const headings = [...TEXT.matchAll(/^## (.+)$/gm)].map(
    ([, name = ""]) => `#${name.toLowerCase().replaceAll(" ", "-")}`,
  );
  const broken = links.filter((link) =>
    link.startsWith("#") ? !headings.includes(link) : !existsSync(join(DOCS, link)),
  );
  expect(broken).toEqual([]);
});

test("the settings it speaks of are in the configuration's own table", () => {
  const settings = readFileSync(join(DOCS, "configuration.md"), "utf8");
  const names = ["activityTimeoutS", "trustedProxies", "requireTls", "path", "certFile", "keyFile", "drainTimeoutS"];
  names.push("signatureWindowS", "eventDataBytes", "httpBodyBytes", "clientEvents", "anonymous", "mode", "level");
  for (const name of names) {
    expect([name, TEXT.includes(name), settings.includes(`| \`${name}\` |`)]).toEqual([name, true, true]);
  }
});

test("a port in use is told as the table says (A54)", async () => {
  const { stderr, code } = await runCli(["serve", "--host", "0.0.0.0", "--port", String(server.port)], {
    env: { PUSHER_APP_ID: "a", PUSHER_APP_KEY: "b", PUSHER_APP_SECRET: "c" },
  });
  expect(code).toBe(1);
  expectRow(stderr.replace(String(server.port), "9501"));
});

test("connections that are turned away are told as the table says (A54)", async () => {
  const refused = [
    await dialPusher(server.url, { app: { ...APP, key: "nobody" } }),
    await dialPusher(server.url, { app: { ...APP, key: "secure-key" } }),
    await dialPusher(server.url, { prefix: "/ws", app: { ...APP, key: "a/b" } }),
    await dialNative(server.url),
  ];
  for (const socket of refused) {
    const { code, reason } = await socket.closed;
    expectRow(String(code), reason);
  }
});

test("refused permissions are told as the table says (A54)", async () => {
  const client = await connectPusher(server.url);
  for (const auth of ["another:key", `${APP.key}:${"0".repeat(64)}`]) {
    client.sendSubscribe("private-a", { auth });
    const { event, data } = await client.next();
    expectRow(event, String(data));
  }
});

test("refused API calls are told as the table says", async () => {
  const event = { name: "a", channel: "b", data: "{}" };
  const calls = [
    signedFetch(server.url, APP, "POST", "/events", { body: event, tamper: { secret: "another" } }),
    signedFetch(server.url, APP, "POST", "/events", { body: event, tamper: { timestamp: 1 } }),
    signedFetch(server.url, { ...APP, id: "another" }, "POST", "/events", { body: event }),
  ];
  for (const answer of await Promise.all(calls)) expectRow(String(answer.status), await answer.text());
  const tooLarge = { ...event, data: "x".repeat(200_000) };
  expect((await signedFetch(server.url, APP, "POST", "/events", { body: tooLarge })).status).toBe(413);
});
