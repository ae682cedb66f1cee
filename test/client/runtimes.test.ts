/** The packages as npm would publish them, in an empty folder, on every runtime that they name: client and publisher in one program. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { external } from "../support/external.ts";
import { makeToken } from "../support/native-client.ts";
import { install, pack } from "../support/packing.ts";
import { freePort } from "../support/ports.ts";
import { spawnCli } from "../support/process.ts";
import { APP, socketUrl, startServer } from "../support/server.ts";
import { startProxy } from "../support/tcp-proxy.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(60_000);

const DENO = [external("deno"), "run", "--allow-net", "--no-remote", "--node-modules-dir=manual"] as const;

/** How it is started, and what the program needs there. */
const RUNTIMES = {
  "Node 20 with ws": {
    program: [external("node-20")],
    imports: `import { WebSocket } from "ws";`,
    options: "WebSocket,",
  },
  "Node 22": { program: [external("node-22")] },
  "Node 24": { program: [external("node-24")] },
  "a worker thread of Node 24": { program: [external("node-24")], inWorker: true },
  Bun: { program: [process.execPath] },
  Deno: { program: DENO },
} as const satisfies Record<string, Runtime>;

interface Runtime {
  readonly program: readonly [string, ...string[]];
  readonly imports?: string;
  readonly options?: string;
  readonly inWorker?: boolean;
}

const server = await startServer(
  {},
  { channels: [{ match: "*", history: { size: 100, ttlS: 60 }, clientPublish: "any" }] },
);
const nobody = await freePort();
const folder = await install(...Object.values(await pack("client", "publisher", "schema")), "ws@8");

test.each(Object.entries<Runtime>(RUNTIMES))(
  "%s: hears what was missed while the line was cut, and ends when it is closed",
  async (name, runtime) => {
    const { program, imports = "", options = "", inWorker = false } = runtime;
    const proxy = await startProxy(server.port);
    const channel = `presence-${name.replaceAll(" ", "-")}`;
    const token = await makeToken({ sub: "ada", channels: ["*"] });
    const file = `${channel}.mjs`;
    writeFileSync(join(folder, file), programFor({ channel, token, imports, options, port: proxy.port }));
    const entry = inWorker ? `${channel}-main.mjs` : file;
    if (inWorker)
      writeFileSync(
        join(folder, entry),
        `import { Worker } from "node:worker_threads"; new Worker(new URL("./${file}", import.meta.url));`,
      );
    const child = spawnCli([entry], {
      program,
      cwd: folder,
      env: { HOME: temporaryFolder(), DENO_NO_UPDATE_CHECK: "1" },
    });

    await child.prints(/heard "from its publisher", replayed false/);
    proxy.cut();
    await child.prints(/state reconnecting/);
    await server.toChannel(channel).push({ event: "message", data: { n: 1 } });
    await server.toChannel(channel).push({ event: "message", data: { n: 2 } });
    proxy.mend();
    await child.prints(/published true/);
    await server.toChannel(channel).push({ event: "message", data: "end" });
    expect({ code: (await child.ended()).code, stderr: child.stderr }).toEqual({ code: 0, stderr: "" });
    expect(child.stdout.split("\n").filter((line) => line.startsWith("heard"))).toEqual([
      `heard "from its publisher", replayed false`,
      `heard {"n":1}, replayed true`,
      `heard {"n":2}, replayed true`,
      expect.stringMatching(/^heard "end"/),
    ]);
    expect(child.stdout).toContain("members ada");
    // Noticed at once, and not only when nobody has answered for long.
    expect(child.stdout).toContain("nowhere connection_lost");
  },
);

test.each([
  ["listens", `client.channel("chat").on("message", console.log);`],
  ["connects", `client.connect();`],
  ["publishes", `client.channel("chat").publish("message", 1).catch(() => {});`],
])("Node 20 without ws: a program that %s ends at once, and says what to do", async (_, what) => {
  const file = `${crypto.randomUUID()}.mjs`;
  const url = socketUrl(server.url);
  const start = `import { createClient } from "@fanfare/client"; const client = createClient({ url: "${url}" });`;
  writeFileSync(join(folder, file), `${start} ${what}`);
  const child = spawnCli([file], { program: [external("node-20")], cwd: folder });
  expect((await child.ended()).code).toBe(1);
  expect(child.stderr).toContain("In Node 20: npm install ws, and createClient({ url, WebSocket })");
});

test("Node 20 without ws: who waits for the connection catches it", async () => {
  const program = `
    import { createClient } from "@fanfare/client";
    const client = createClient({ url: "${socketUrl(server.url)}" });
    await client.connected().catch(({ code }) => console.log(code, client.snapshot.state));
  `;
  writeFileSync(join(folder, "waits.mjs"), program);
  const child = spawnCli(["waits.mjs"], { program: [external("node-20")], cwd: folder });
  expect([(await child.ended()).code, child.stdout, child.stderr]).toEqual([0, "unsupported failed\n", ""]);
});

interface Program {
  readonly channel: string;
  readonly token: string;
  readonly imports: string;
  readonly options: string;
  readonly port: number;
}

/** While it is cut off it publishes. */
function programFor({ channel, token, imports, options, port }: Program): string {
  const publisher = { url: server.url, appId: APP.id, key: APP.key, secret: APP.secret };
  return `
    import { createClient } from "@fanfare/client";
    import { createPublisher } from "@fanfare/publisher";
    ${imports}
    const client = createClient({ ${options} url: "${socketUrl(`http://127.0.0.1:${port}`)}", token: "${token}", backoff: { minMs: 100, maxMs: 500 } });
    const nowhere = createClient({ ${options} url: "${socketUrl(`http://127.0.0.1:${nobody}`)}" });
    nowhere.subscribe(() => {
      const { error } = nowhere.snapshot;
      if (error) console.log("nowhere " + error.code);
      if (error) nowhere.close();
    });
    nowhere.connect();
    const room = client.channel("${channel}");
    let last;
    client.subscribe(() => {
      const { state } = client.snapshot;
      if (state === last) return;
      last = state;
      console.log("state " + state);
      if (state === "reconnecting") room.publish("said", "offline").then(({ position }) => console.log("published " + (position !== undefined)));
    });
    room.onGap(({ reason }) => console.log("gap " + reason));
    room.on("message", (data, { replayed }) => {
      console.log("heard " + JSON.stringify(data) + ", replayed " + replayed);
      if (data === "end") client.close();
    });
    room.subscribe(async () => {
      if (room.snapshot.state !== "attached" || globalThis.hasPublished) return;
      globalThis.hasPublished = true;
      console.log("members " + room.members.map(({ id }) => id));
      await createPublisher(${JSON.stringify(publisher)}).publish("${channel}", "message", "from its publisher");
    });
  `;
}
