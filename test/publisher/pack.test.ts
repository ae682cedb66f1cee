/** The package as people get it: packed, unpacked into an empty folder, run by plain Node, and compiled against without Bun's types. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { install, pack } from "../support/packing.ts";
import { spawnCli } from "../support/process.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

setDefaultTimeout(60_000);

const ROOT = join(import.meta.dir, "..", "..");

const folder = await install(...Object.values(await pack("publisher", "schema")));
const installed = join(folder, "node_modules", "@fanfare", "publisher");

test("holds its sources, its types, one module and one that only checking loads, and needs no package but that of the schemas", async () => {
  expect(readdirSync(installed).sort()).toEqual(["LICENSE", "README.md", "dist", "package.json", "src"]);
  const dist = join(installed, "dist");
  const modules = readdirSync(dist).filter((name) => name.endsWith(".js"));
  expect(modules.map((name) => name.replace(/^chunk-\w+/, "chunk")).sort()).toEqual(["chunk.js", "index.js"]);
  const others = readdirSync(dist).filter((name) => !name.endsWith(".js"));
  expect(others.sort()).toEqual([...modules.map((name) => `${name}.map`), "types"].sort());
  const manifest = await Bun.file(join(installed, "package.json")).json();
  expect(manifest.dependencies).toEqual({ "@fanfare/schema": manifest.version });
  const texts = await Promise.all(modules.map((name) => Bun.file(join(dist, name)).text()));
  const imported = (pattern: RegExp) => texts.flatMap((text) => Array.from(text.matchAll(pattern), ([, name]) => name));
  expect(imported(/^import\b[^;]*from "([^"]*)";$/gm)).toEqual(["@fanfare/schema"]);
  expect(imported(/\bimport\("([^"]*)"\)/g)).toEqual([expect.stringMatching(/^\.\/chunk-\w+\.js$/)]);
  expect(texts.join("\n")).not.toMatch(/\brequire\(|\bBuffer\b|\bprocess\b|\bBun\b/);
});

test("publishes, streams, asks and signs in plain Node", async () => {
  const server = await startServer();
  const client = await connectPusher(server.url);
  await client.subscribe("from-node");
  const program = `
    import { createPublisher, PublisherError } from "@fanfare/publisher";
    if (typeof Bun !== "undefined") throw new Error("This is Bun.");
    const publisher = createPublisher(${JSON.stringify({ url: server.url, appId: APP.id, key: APP.key, secret: APP.secret })});
    await publisher.publish("from-node", "hello", { from: "Node ü" });
    await publisher.stream("from-node", (async function* () { yield "a"; yield "b"; })());
    const { auth } = await publisher.authorizeChannel("1.2", "private-a");
    const channels = await publisher.channels();
    const error = await publisher.publish("a b", "e", 1).catch((thrown) => thrown);
    console.log(JSON.stringify({ auth, channels, code: error instanceof PublisherError && error.code }));
  `;
  writeFileSync(join(folder, "program.js"), program);
  const child = spawnCli(["program.js"], { program: ["node"], cwd: folder });
  expect({ code: (await child.ended()).code, stderr: child.stderr }).toEqual({ code: 0, stderr: "" });
  expect(JSON.parse(child.stdout)).toMatchObject({
    auth: expect.stringMatching(new RegExp(`^${APP.key}:[0-9a-f]{64}$`)),
    channels: [{ channel: "from-node", subscriptions: 1 }],
    code: "channel_invalid",
  });
  expect(await client.nextIn("from-node")).toMatchObject({ event: "hello", data: '{"from":"Node ü"}' });
  for (const type of ["start", "delta", "end"])
    expect(JSON.parse(String((await client.nextIn("from-node")).data)).type).toBe(type);
});

test("needs no global of Node's: it runs where there are only those of workers", async () => {
  const server = await startServer();
  const program = `
    import { readFile } from "node:fs/promises";
    import { createContext, SourceTextModule } from "node:vm";
    const names = ["AbortController", "AbortSignal", "Headers", "Request", "Response", "TextDecoder", "TextEncoder", "URL",
      "URLSearchParams", "btoa", "clearTimeout", "crypto", "fetch", "performance", "setTimeout"];
    const context = createContext(Object.fromEntries(names.map((name) => [name, globalThis[name]])));
    const load = async (name) =>
      new SourceTextModule(await readFile("node_modules/" + name + "/dist/index.js", "utf8"), { context });
    const module = await load("@fanfare/publisher");
    await module.link(load);
    await module.evaluate();
    const options = ${JSON.stringify({ url: server.url, appId: APP.id, key: APP.key, secret: APP.secret })};
    const publisher = module.namespace.createPublisher(options);
    await publisher.batch([{ channel: "c", event: "e", data: 1 }]);
    await publisher.stream("c", (async function* () { yield "a"; })());
    const request = new Request("http://a/", { method: "POST", body: "{}" });
    const { status } = await publisher.webhook(request).catch((error) => error);
    console.log(status, await publisher.connections(), (await publisher.token({ user: "ada" })).split(".").length);
  `;
  writeFileSync(join(folder, "worker.js"), program);
  const args = ["--experimental-vm-modules", "--no-warnings", "worker.js"];
  const child = spawnCli(args, { program: ["node"], cwd: folder });
  expect({ code: (await child.ended()).code, stderr: child.stderr }).toEqual({ code: 0, stderr: "" });
  expect(child.stdout).toBe("401 0 3\n");
});

test("has types that strict programs compile against, without Bun's and with nothing skipped", async () => {
  const program = `
    import { createPublisher, type Publisher, type WebhookEvent } from "@fanfare/publisher";
    import { defineEvents, unchecked } from "@fanfare/schema";
    const publisher: Publisher = createPublisher({ url: "https://a", appId: "a", key: "k", secret: "s" });
    const { events } = await publisher.history<{ n: number }>("c");
    export const n: number | undefined = events[0]?.data.n;
    export const user = (event: WebhookEvent) => (event.name === "member_added" ? event.user_id : undefined);
    // @ts-expect-error: who may subscribe has to be decided
    await publisher.authorize("1.2", ["private-a"]);
    const shop = defineEvents({ channels: { orders: { paid: unchecked<{ readonly sum: number }>() } } });
    const declared = createPublisher({ url: "https://a", appId: "a", key: "k", secret: "s", events: shop });
    await declared.publish("orders", "paid", { sum: 1 });
    // @ts-expect-error: the sum is a number
    await declared.publish("orders", "paid", { sum: "1" });
    // @ts-expect-error: the secret is missing
    createPublisher({ url: "https://a", appId: "a", key: "k" });
  `;
  writeFileSync(join(folder, "typed.ts"), program);
  const flags = [
    "--noEmit",
    "--strict",
    "--module",
    "nodenext",
    "--target",
    "es2022",
    "--types",
    "",
    "--lib",
    "es2022,dom,dom.asynciterable",
  ];
  const child = spawnCli([...flags, "typed.ts"], { program: [join(ROOT, "node_modules", ".bin", "tsc")], cwd: folder });
  await child.ended();
  expect(child.output).toBe("");
});

test("is what the guide's examples compile against", async () => {
  const guide = await Bun.file(join(ROOT, "docs", "publisher.md")).text();
  const examples = Array.from(guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm), ([, text = ""]) => text);
  expect(examples).toHaveLength(6);
  const files = examples.map((_, n) => `example-${n}.ts`);
  for (const [n, file] of files.entries()) writeFileSync(join(folder, file), examples[n] ?? "");
  for (const name of ["@types", "zod"])
    symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name));
  const flags = [
    "--noEmit",
    "--strict",
    "--skipLibCheck",
    "--module",
    "nodenext",
    "--target",
    "esnext",
    "--types",
    "node",
  ];
  const child = spawnCli([...flags, ...files], { program: [join(ROOT, "node_modules", ".bin", "tsc")], cwd: folder });
  await child.ended();
  expect(child.output).toBe("");
});
