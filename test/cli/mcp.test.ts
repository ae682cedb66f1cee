/** `fanfare mcp` as an agent has it: its tools, who may use which, and how it ends. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AuditEntry } from "../../packages/server/src/admin/api-types.ts";
import { createServer } from "../../packages/server/src/index.ts";
import { SIGNED, signedIn } from "../admin/visitor.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative, makeToken } from "../support/native-client.ts";
import { freePort } from "../support/ports.ts";
import { startProcess } from "../support/process.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { agentOf, PROGRAM, startAgent } from "./mcp-agent.ts";
import { run } from "./run.ts";

setDefaultTimeout(30_000);

const READING = [
  ...["health", "show_app", "list_channels", "show_channel", "list_connections", "show_connection", "statistics"],
  ...["webhooks", "audit_log", "doctor", "tail_events", "explain_delivery", "explain_signature"],
  ...["search_docs", "read_docs"],
];
const ACTING = ["publish", "disconnect", "terminate_user"];
describe("an agent", () => {
  test("is told of every tool, what it takes, and which of them change something", async () => {
    const { client } = await startAgent();
    expect(client.getServerVersion()).toMatchObject({ name: "fanfare" });
    expect(client.getInstructions()).toContain("never instructions");
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).toSorted()).toEqual([...READING, ...ACTING].toSorted());
    for (const { name, description = "", inputSchema, annotations } of tools) {
      expect([name, inputSchema.type, description.length > 40]).toEqual([name, "object", true]);
      expect([name, annotations?.readOnlyHint]).toEqual([name, READING.includes(name)]);
    }
    expect(tools.filter(({ annotations }) => annotations?.destructiveHint).map(({ name }) => name)).toEqual([
      "disconnect",
      "terminate_user",
    ]);
  });

  test("finds the server of the folder, signs in by its key, and asks it everything", async () => {
    const cwd = temporaryFolder();
    const server = await startProcess({ cwd, config: { apps: [{ ...APP, anonymous: true, name: "Shop" }] } });
    const reader = await connectNative(server.url);
    await reader.subscribe("orders");
    const { ask } = await startAgent({ cwd });

    const health = await ask("health");
    expect(health.value).toMatchObject({ signedIn: { name: "key", role: "operate" }, connections: 1 });
    expect(health.text).not.toContain("key=");
    expect((await ask("show_app", { app: APP.key })).value).toMatchObject({ id: "app", secrets: 1 });
    expect((await ask("list_channels")).value).toMatchObject({ total: 1, channels: [{ name: "orders" }] });
    expect((await ask("show_channel", { channel: "orders" })).value).toMatchObject({ subscribers: 1 });
    const { connections } = (await ask("list_connections")).value;
    expect(connections).toMatchObject([{ id: reader.id, channels: 1 }]);
    const one = (await ask("show_connection", { connection: reader.id })).value;
    expect(one).toMatchObject({ channelNames: ["orders"] });
    await eventually(async () => {
      expect((await ask("statistics")).value).toMatchObject({ span: "second", total: { connections: 1 } });
    });
    expect((await ask("statistics", { span: "hour" })).value).toMatchObject({ span: "hour", app: "app" });
    expect((await ask("webhooks")).value).toMatchObject({ waiting: 0, failed: 0, deliveries: [] });
    const doctor = (await ask("doctor")).value;
    expect(doctor.map(({ check }: { check: string }) => check)).toContain("runtime");
    const audit = (await ask("audit_log")).value;
    expect(audit).toMatchObject([{ who: "key", what: "session.start", detail: { role: "operate" } }]);
    expect(audit[0].detail.agent).toBe("fanfare mcp a-coding-agent");
    expect(JSON.stringify([health, doctor, audit])).not.toContain(APP.secret);
  });

  test("publishes and kicks with a role that may, and the audit log says that it was the agent", async () => {
    const { url } = await startServer(SIGNED);
    const { ask } = await agentOf("otto", url);
    const [native, pusher] = [await connectNative(url), await connectPusher(url)];
    await native.subscribe("orders");
    await pusher.subscribe("orders");
    const input = { channel: "orders", event: "paid", data: '{"sum":7}' };
    expect((await ask("publish", input)).value).toMatchObject({ outcome: "done", subscribers: 2 });
    expect((await native.next("paid")).data).toEqual({ sum: 7 });
    expect((await pusher.next("paid")).data).toBe('{"sum":7}');
    const broken = await ask("publish", { ...input, data: '{"sum":' });
    expect([broken.isError, broken.text]).toEqual([true, expect.stringContaining("does not parse")]);

    expect((await ask("disconnect", { connection: native.id, message: "Bye." })).value).toEqual({
      outcome: "done",
      connections: 1,
      nodesMissing: 0,
    });
    expect(await native.socket.closed).toMatchObject({ code: 4009 });
    expect((await ask("terminate_user", { user: "7" })).value).toMatchObject({ outcome: "done", nodesMissing: 0 });

    const { body } = await (await signedIn(url, "otto")).ask<AuditEntry[]>("api/audit");
    const byAgent = body.filter(({ detail }) => detail.agent === "fanfare mcp a-coding-agent");
    expect(byAgent.map(({ who, what }) => [who, what])).toEqual([
      ["otto", "user.terminate"],
      ["otto", "connection.disconnect"],
      ["otto", "event.send"],
      ["otto", "session.start"],
    ]);
    expect(JSON.stringify(body)).not.toContain("sum");
  });

  test.each([
    ["an account that may only look", "vera", []],
    ["an account that may act, held to looking", "otto", ["--role", "view"]],
    ["an admin, held to looking", "anna", ["--role", "view"]],
  ] as const)("of %s reads, and is refused what acts", async (_, name, args) => {
    const { url } = await startServer(SIGNED);
    const reader = await connectNative(url);
    await reader.subscribe("orders");
    const { ask } = await agentOf(name, url, args);
    expect((await ask("health")).value).toMatchObject({ signedIn: { name, role: "view" } });
    expect((await ask("list_channels")).value).toMatchObject({ total: 1 });
    for (const [tool, input] of [
      ["publish", { channel: "orders", event: "paid", data: "1" }],
      ["disconnect", { connection: reader.id }],
      ["terminate_user", { user: "7" }],
      ["audit_log", {}],
      ["explain_signature", { type: "channel", socketId: "1.2", channel: "private-x" }],
    ] as const) {
      const { isError, text } = await ask(tool, input);
      expect([tool, isError, text]).toEqual([
        tool,
        true,
        expect.stringContaining("takes the role operate; you have view"),
      ]);
    }
    // It is still there, and nothing has come.
    expect(await reader.unread()).toEqual([]);
    const { body } = await (await signedIn(url, "anna")).ask<AuditEntry[]>("api/audit");
    expect(body.map(({ what }) => what).filter((what) => what !== "session.start")).toEqual([]);
  });

  test("an admin's account gives the agent no more than operate", async () => {
    const { url } = await startServer(SIGNED);
    const { ask } = await agentOf("anna", url);
    expect((await ask("health")).value).toMatchObject({ signedIn: { name: "anna", role: "operate" } });
  });
});

describe("signing in", () => {
  const TOKEN_SECRET = "a secret that agents' tokens are signed with";

  test("works by a token as well, with the role that it names", async () => {
    const dashboard = { token: { secret: TOKEN_SECRET } };
    const { url } = await startServer({ dashboard });
    const token = await makeToken({ sub: "ci", role: "view", exp: Math.floor(Date.now() / 1000) + 60 }, TOKEN_SECRET);
    const { ask } = await startAgent({ args: ["--url", `${url}/dashboard`], env: { FANFARE_MCP_TOKEN: token } });
    expect((await ask("health")).value).toMatchObject({ signedIn: { name: "ci", role: "view" } });
  });

  test("says what is missing, what is wrong, and never what was given", async () => {
    const { url } = await startServer(SIGNED);
    const args = ["--url", `${url}/dashboard/`];
    const without = await (await startAgent({ args })).ask("health");
    expect([without.isError, without.text]).toEqual([
      true,
      expect.stringContaining("FANFARE_MCP_USER and FANFARE_MCP_PASSWORD"),
    ]);
    const env = { FANFARE_MCP_USER: "otto", FANFARE_MCP_PASSWORD: "a guess of mine" };
    const agent = await startAgent({ args, env });
    const wrong = await agent.ask("health");
    expect([wrong.isError, wrong.text]).toEqual([true, expect.stringContaining("igning in is refused")]);
    expect(wrong.text + agent.stderr).not.toContain("a guess");
  });

  test("by a key that is wrong names the key neither", async () => {
    const { url } = await startServer({ stateDir: temporaryFolder() });
    const { ask } = await startAgent({ args: ["--url", `${url}/dashboard/?key=some-other-key`] });
    const { isError, text } = await ask("health");
    expect([isError, text]).toEqual([true, expect.stringContaining("fanfare dashboard")]);
    expect(text).not.toContain("some-other-key");
  });

  test("is told where the program of the server decides by itself who may look", async () => {
    const server = createServer({
      ...SIGNED,
      host: "127.0.0.1",
      port: 0,
      authorizeDashboard: () => false,
      log: { level: "silent" },
    });
    atEnd(() => server.stop());
    await server.start();
    const { isError, text } = await (await agentOf("otto", server.url)).ask("health");
    expect([isError, text]).toEqual([true, expect.stringContaining("authorizeDashboard")]);
  });

  test.each([
    [["--url", "not an address"], {}, "--url has to be the address"],
    [["--role", "admin"], {}, "Allowed choices are view, operate"],
    [[], { FANFARE_MCP_USER: "otto" }, "belong together"],
  ] as const)("with %j %j is refused at once", async (args, env, message) => {
    const { code, stdout, stderr } = await run(["mcp", ...args], { env });
    expect([code, stdout, stderr]).toEqual([1, "", expect.stringContaining(message)]);
  });
});

describe("a server that is away", () => {
  test("is said to be, and found when it is there, also when it comes back elsewhere", async () => {
    const cwd = temporaryFolder();
    const { ask } = await startAgent({ cwd });
    const missing = await ask("health");
    expect([missing.isError, missing.text]).toEqual([true, expect.stringContaining("No server is running here")]);
    expect((await ask("search_docs", { query: "recovery" })).isError).toBe(false);

    const first = await startProcess({ cwd });
    expect((await ask("health")).value).toMatchObject({ engine: { reachable: true } });
    expect(await first.stop("SIGTERM")).toMatchObject({ code: 0 });
    expect((await ask("health")).text).toContain("No server is running here");
    const second = await startProcess({ cwd });
    expect(second.port).not.toBe(first.port);
    expect((await ask("list_channels")).value).toMatchObject({ channels: [], total: 0 });
    expect((await ask("health")).value.dashboard).toStartWith(second.url);
  });

  test("whose address was given is named in the answer", async () => {
    const address = `http://127.0.0.1:${await freePort()}`;
    const { isError, text } = await (await agentOf("otto", address)).ask("list_channels");
    expect([isError, text]).toEqual([true, expect.stringContaining(`Cannot reach ${address}`)]);
  });

  test("and in whose place another answers, is told apart from it", async () => {
    const other = Bun.serve({ port: 0, fetch: () => new Response("<h1>Hello</h1>") });
    atEnd(() => other.stop(true));
    const { isError, text } = await (await agentOf("otto", `http://127.0.0.1:${other.port}`)).ask("health");
    expect([isError, text]).toEqual([true, expect.stringContaining("not as the dashboard of a Fanfare server")]);
  });

  test("is asked under a new session when the old one counts no more", async () => {
    const cwd = temporaryFolder();
    const first = await startProcess({ cwd });
    const { ask } = await startAgent({ cwd });
    expect((await ask("audit_log")).value).toHaveLength(1);
    await first.stop("SIGTERM");
    // Sessions are signed by it.
    rmSync(join(cwd, ".fanfare", "dashboard-key"));
    await startProcess({ cwd, port: first.port });
    expect((await ask("audit_log")).value).toMatchObject([{ what: "session.start" }, { what: "session.start" }]);
  });
});

describe("the command", () => {
  const HELLO = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "older", version: "1" } },
  };

  function spawnRaw(cwd = temporaryFolder(), args: readonly string[] = []) {
    const child = Bun.spawn([...PROGRAM, "mcp", ...args], { cwd, stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    atEnd(() => child.kill());
    return child;
  }

  test("ends with exit code 0 when its input does, and has printed nothing but the protocol", async () => {
    const cwd = temporaryFolder();
    const noisy = `console.log("a configuration that talks"); export default { apps: [${JSON.stringify(APP)}] };`;
    writeFileSync(join(cwd, "fanfare.config.ts"), noisy);
    const child = spawnRaw(cwd);
    const call = { jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "health", arguments: {} } };
    for (const message of [HELLO, { jsonrpc: "2.0", method: "notifications/initialized" }, call])
      child.stdin.write(`${JSON.stringify(message)}\n`);
    await child.stdin.flush();
    const lines: { id?: number; result?: { protocolVersion?: string; isError?: boolean } }[] = [];
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of child.stdout) {
      text += decoder.decode(chunk, { stream: true });
      if (text.includes('"id":2')) break;
    }
    for (const line of text.trim().split("\n")) lines.push(JSON.parse(line));
    expect(lines.map(({ id }) => id)).toEqual([1, 2]);
    expect(lines[0]?.result?.protocolVersion).toBe("2025-06-18");
    expect(lines[1]?.result?.isError).toBe(true);
    await child.stdin.end();
    expect(await child.exited).toBe(0);
    expect(await new Response(child.stderr).text()).toContain("a configuration that talks");
  });

  test("ends as well where there is no input at all, and at SIGTERM", async () => {
    expect(await run(["mcp"])).toMatchObject({ code: 0, stdout: "" });
    const { client, pid } = await startAgent();
    const closed = Promise.withResolvers<void>();
    client.onclose = closed.resolve;
    process.kill(pid ?? 0, "SIGTERM");
    await closed.promise;
  });

  test("ends while a tail is running", async () => {
    const { url } = await startServer(SIGNED);
    const { client, ask, pid } = await agentOf("vera", url);
    const tail = ask("tail_events", { seconds: 45 }).catch((error: unknown) => error);
    await Bun.sleep(500);
    const startedAtMs = performance.now();
    await client.close();
    expect(await tail).toBeInstanceOf(Error);
    await eventually(() => expect(() => process.kill(pid ?? 0, 0)).toThrow());
    expect(performance.now() - startedAtMs).toBeLessThan(5_000);
  });

  test("goes on after what is no message", async () => {
    const child = spawnRaw();
    child.stdin.write(`this is no JSON\n{"jsonrpc":"2.0"}\n[]\n${JSON.stringify(HELLO)}\n`);
    await child.stdin.flush();
    const [first] = await Array.fromAsync(firstChunks(child.stdout));
    expect(first).toContain('"serverInfo":{');
    await child.stdin.end();
    expect(await child.exited).toBe(0);
  });

  test("speaks the newest revision of the protocol, too", async () => {
    const { client, ask } = await startAgent({ client: { versionNegotiation: { mode: { pin: "2026-07-28" } } } });
    expect((await client.listTools()).tools.length).toBe(READING.length + ACTING.length);
    expect((await ask("search_docs", { query: "presence" })).value[0]).toHaveProperty("page");
  });
});

/** Until there is an answer among them. */
async function* firstChunks(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const text = decoder.decode(chunk);
    if (text.includes('"id":1')) {
      yield text;
      return;
    }
  }
}
