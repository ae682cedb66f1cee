/** `fanfare stats`: the form that others had, of the server that runs here and of any other. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { statsText } from "../../packages/server/src/cli/commands/stats.ts";
import { startProcess } from "../support/process.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { run } from "./run.ts";

setDefaultTimeout(30_000);

const OTHER = { id: "other", key: "other-key", secret: "other-secret" };

test("stats has the very form of A28, with separators for thousands", () => {
  const channels = [
    { name: "chat.room.1", type: "public", subscribers: 150 },
    { name: "private-orders", type: "private", subscribers: 1 },
    { name: "presence-lobby", type: "presence", subscribers: 1_234_567 },
  ] as const;
  expect(statsText({ connections: 1234, apps: [{ id: "app", name: "App", connections: 1234, channels }] })).toBe(
    [
      "WebSocket Server Statistics",
      "Total Connections: 1,234",
      "Total Channels: 3",
      "Active Channels:",
      "  chat.room.1 (public): 150 subscribers",
      "  private-orders (private): 1 subscribers",
      "  presence-lobby (presence): 1,234,567 subscribers",
    ].join("\n"),
  );
});

test("stats asks the server that runs here by its control socket, about one app or all, workers or none (A28)", async () => {
  const cwd = temporaryFolder();
  const { url } = await startProcess({ cwd, config: { apps: [APP, OTHER] } });
  const clients = [await connectPusher(url), await connectPusher(url)];
  for (const client of clients) await client.subscribe("chat.room.1");
  await clients[0]?.subscribe("presence-lobby", { data: { user_id: "1" } });
  await (await connectPusher(url, { app: OTHER })).subscribe("private-x");
  expect((await run(["stats"], { cwd })).stdout).toBe(
    [
      "WebSocket Server Statistics",
      "Total Connections: 3",
      "Total Channels: 3",
      "Active Channels:",
      "  chat.room.1 (public): 2 subscribers in app",
      "  presence-lobby (presence): 1 subscribers in app",
      "  private-x (private): 1 subscribers in other",
      "",
    ].join("\n"),
  );
  expect((await run(["stats", "--app", "other"], { cwd })).stdout).toBe(
    "WebSocket Server Statistics\nTotal Connections: 1\nTotal Channels: 1\nActive Channels:\n  private-x (private): 1 subscribers\n",
  );
  const { stdout } = await run(["stats", "--json", "--app", APP.key], { cwd });
  expect(JSON.parse(stdout)).toEqual({
    connections: 2,
    apps: [
      {
        id: "app",
        name: "app",
        connections: 2,
        channels: [
          { name: "chat.room.1", type: "public", subscribers: 2 },
          { name: "presence-lobby", type: "presence", subscribers: 1 },
        ],
      },
    ],
  });
  const unknown = await run(["stats", "--app", "nobody"], { cwd });
  expect([unknown.code, unknown.stderr]).toEqual([1, 'fanfare: There is no app "nobody".\n']);
});

test("stats asks any server by its address and an app's credentials", async () => {
  const server = await startServer({ path: "/ws" });
  await (await connectPusher(server.url)).subscribe("private-a");
  const credentials = ["--app", APP.id, "--key", APP.key, "--secret", APP.secret];
  for (const url of [server.url, `${server.url}/ws`]) {
    expect((await run(["stats", "--url", url, ...credentials])).stdout).toBe(
      "WebSocket Server Statistics\nTotal Connections: 1\nTotal Channels: 1\nActive Channels:\n  private-a (private): 1 subscribers\n",
    );
  }
  const wrong = await run(["stats", "--url", server.url, "--app", APP.id, "--key", APP.key, "--secret", "wrong"]);
  expect([wrong.code, wrong.stdout]).toEqual([1, ""]);
  expect(wrong.stderr).toMatch(/^fanfare: .* refused to tell: .* \(401\)\n$/);
  const nobody = await run(["stats", "--url", "http://127.0.0.1:1", ...credentials]);
  expect(nobody.stderr).toStartWith("fanfare: cannot reach http://127.0.0.1:1");
});

test("stats of nothing says that nothing runs", async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "fanfare.config.json"), JSON.stringify({ apps: [APP] }));
  const { code, stderr } = await run(["stats"], { cwd });
  expect([code, stderr]).toMatchObject([1, expect.stringMatching(/^fanfare: no server is running here/)]);
});
