/** A handshake whose `Upgrade` a proxy took away gets an error that says what the proxy lacks. */

import { expect, test } from "bun:test";
import { createServer } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { APP, startServer } from "../support/server.ts";

const KEY = { "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" };

test.each([
  ["a browser's handshake at an app", "/app/KEY?protocol=7", KEY],
  ["a browser's handshake at the root, which has a page", "/", KEY],
  ["a browser's handshake at a place of the program's", "/chat", KEY],
  ["a proxy that takes all of it away", "/app/KEY", {}],
  ["a path in front", "/live/app/KEY/", {}],
])("%s is answered 426, and names the setting", async (_, path, headers) => {
  const { url } = await startServer();
  const answer = await fetch(url + path.replace("KEY", APP.key), { headers });
  expect([answer.status, answer.headers.get("upgrade")]).toEqual([426, "websocket"]);
  const { code, error } = (await answer.json()) as { code: string; error: string };
  expect(code).toBe("upgrade_required");
  expect(error).toContain("proxy_set_header Upgrade $http_upgrade");
});

test("what is no handshake is answered as before, and a program may have pages at such a path", async () => {
  const { url } = await startServer();
  expect((await fetch(`${url}/nothing`)).status).toBe(404);
  expect((await fetch(`${url}/app/KEY`, { method: "POST" })).status).toBe(404);
  const settings = { host: "127.0.0.1", port: 0, log: { level: "silent" }, apps: [APP] } as const;
  const program = createServer({ ...settings, fetch: () => new Response("mine") });
  atEnd(() => program.stop());
  await program.start();
  expect(await (await fetch(`${program.url}/app/page`)).text()).toBe("mine");
  expect((await fetch(`${program.url}/app/page`, { headers: KEY })).status).toBe(426);
});
