/** Who gets in at the dashboard: by the key of the printed address in development, and by password, token or the program's word. */

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { AuditEntry, Session } from "../../packages/server/src/admin/api-types.ts";
import { type ConfigInput, createServer, type Server, type ServerOptions } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken } from "../support/native-client.ts";
import { APP, startServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { keyHolder, openLive, PASSWORDS, SIGNED, signedIn, USERS, Visitor } from "./visitor.ts";

const OPEN = { apps: [APP] };
const keyOf = (server: Server) => new URL(server.dashboardUrl ?? "").searchParams.get("key") ?? "";
const sessionOf = async (visitor: Visitor, headers = {}) =>
  (await visitor.ask<Session>("api/session", { headers })).body;

describe("without any account, in development (B31)", () => {
  const withOwnState = () => ({ ...OPEN, stateDir: temporaryFolder() });

  test("whoever has the printed address is let in, as admin, and has a cookie for the key", async () => {
    const server = await startServer(withOwnState());
    const visitor = new Visitor(`${server.url}/dashboard`);
    expect(await sessionOf(visitor)).toMatchObject({ ways: ["key"] });
    expect(server.dashboardUrl).toMatch(/\/dashboard\/\?key=[-\w]{43}$/);
    const answer = await visitor.openBy(server.dashboardUrl);
    // The key leaves the address bar, and no page hears of it.
    expect([answer.status, answer.headers.get("location")]).toEqual([302, "./"]);
    expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const cookie = answer.headers.get("set-cookie") ?? "";
    for (const part of ["HttpOnly", "SameSite=Strict"]) expect(cookie).toContain(part);
    // Twelve hours, less what signing took.
    expect(cookie).toMatch(/Max-Age=43(?:200|1\d\d)\b/);
    expect(cookie).not.toContain(keyOf(server));
    expect(await sessionOf(visitor)).toMatchObject({ user: { name: "key", role: "admin" } });
    expect((await visitor.ask("api/overview")).status).toBe(200);
    const live = await visitor.watch();
    await visitor.ask("api/session", { method: "DELETE" });
    expect((await live.socket.closed).code).toBe(4009);
    expect((await visitor.ask("api/overview")).status).toBe(401);
  });

  test.each([
    ["comes from the machine itself", {}],
    ["comes by localhost", { Host: "localhost:9501" }],
    ["comes through a proxy that says so", { "X-Forwarded-For": "127.0.0.1" }],
    ["comes from a page of the machine", { Origin: "http://localhost:9501", "Sec-Fetch-Site": "same-origin" }],
  ])("whoever %s without the key is nobody", async (_, headers) => {
    const visitor = new Visitor(`${(await startServer(withOwnState())).url}/dashboard`);
    expect(await sessionOf(visitor, headers)).not.toHaveProperty("user");
    expect((await visitor.ask("api/overview", { headers })).status).toBe(401);
    expect((await visitor.post("api/ticket", {}, { headers })).status).toBe(401);
  });

  test("the key can be typed in as well; a wrong one opens nothing, and is guessed ten times a minute", async () => {
    const server = await startServer(withOwnState());
    const visitor = new Visitor(`${server.url}/dashboard`);
    const key = keyOf(server);
    for (const wrong of [`${key}x`, key.slice(1), key.toUpperCase(), "undefined"]) {
      expect((await visitor.post("api/session", { key: wrong })).status).toBe(401);
      const answer = await visitor.openBy(`http://x/?key=${wrong}`);
      expect([answer.status, answer.headers.get("location"), visitor.cookie]).toEqual([302, "./", undefined]);
    }
    expect((await visitor.post("api/session", { key }, { isBare: true })).status).toBe(403);
    expect((await visitor.post("api/session", { key })).body).toMatchObject({ user: { role: "admin" } });
    const other = new Visitor(visitor.base);
    for (const guess of ["one", "two"]) await other.post("api/session", { key: guess });
    expect((await other.post("api/session", { key })).status).toBe(429);
    expect((await visitor.ask("api/overview")).status).toBe(200);
  });

  test("an address without the slash, and a HEAD, spend nothing and lose nothing", async () => {
    const server = await startServer(withOwnState());
    const visitor = new Visitor(server.url);
    const { headers } = await visitor.ask(`dashboard?key=${keyOf(server)}`);
    expect(headers.get("location")).toBe(`./dashboard/?key=${keyOf(server)}`);
    await visitor.ask(`dashboard/?key=${keyOf(server)}`, { method: "HEAD" });
    expect(visitor.cookie).toBeUndefined();
  });

  test("a cookie of another folder does not stand in the way of a newer one", async () => {
    const server = await startServer(withOwnState());
    const visitor = await keyHolder(server);
    visitor.cookie = `fanfare-dashboard=stale.word; ${visitor.cookie}`;
    expect((await visitor.ask("api/overview")).status).toBe(200);
  });

  test("the key is in a file for its owner alone, made when somebody wants it, and the same after a restart", async () => {
    const stateDir = temporaryFolder();
    const file = join(stateDir, "dashboard-key");
    const server = await startServer({ ...OPEN, stateDir });
    expect(existsSync(file)).toBe(false);
    const visitor = await keyHolder(server);
    const key = keyOf(server);
    expect([statSync(file).mode & 0o777, readFileSync(file, "utf8")]).toEqual([0o600, `${key}\n`]);
    const { port } = server;
    await server.stop();
    const again = await startServer({ ...OPEN, stateDir, port });
    expect(keyOf(again)).toBe(key);
    expect((await visitor.ask("api/overview")).status).toBe(200);
    await again.stop();
    rmSync(file);
    const renewed = await startServer({ ...OPEN, stateDir, port });
    expect(keyOf(renewed)).not.toBe(key);
    expect((await visitor.ask("api/overview")).status).toBe(401);
  });

  test("where it cannot be kept, it is the server's own until it stops", async () => {
    const server = await startServer({ ...OPEN, stateDir: "/proc/none" });
    expect((await (await keyHolder(server)).ask("api/overview")).status).toBe(200);
    expect(server.dashboardUrl).toBe(server.dashboardUrl ?? "none");
  });

  test("with accounts, a gate or in production there is none", async () => {
    const configured = [
      SIGNED,
      { ...OPEN, mode: "production" },
      { ...OPEN, dashboard: { password: "twelve or more" } },
    ];
    for (const config of configured as ConfigInput[]) {
      const server = await startServer({ ...config, stateDir: temporaryFolder() });
      expect(server.dashboardUrl).toBe(`${server.url}/dashboard/`);
      const visitor = new Visitor(`${server.url}/dashboard`);
      expect((await visitor.ask<Session>("api/session")).body.ways).not.toContain("key");
      expect((await visitor.post("api/session", { key: "undefined" })).status).toBe(401);
    }
    const silent = { host: "127.0.0.1", port: 0, log: { level: "silent" } } as const;
    const gated = createServer({ ...withOwnState(), ...silent, authorizeDashboard: () => false });
    atEnd(() => gated.stop());
    await gated.start();
    expect(gated.dashboardUrl).toBe(`${gated.url}/dashboard/`);
    expect((await new Visitor(`${gated.url}/dashboard`).ask<Session>("api/session")).body.ways).toEqual([]);
    expect((await startServer({ ...OPEN, dashboard: { enabled: false } })).dashboardUrl).toBeUndefined();
  });
});

describe("without any account (B31)", () => {
  test("in production nobody is let in, and the page can say why", async () => {
    const visitor = new Visitor(`${(await startServer({ ...OPEN, mode: "production" })).url}/dashboard`);
    expect(await sessionOf(visitor)).toMatchObject({ ways: [] });
    expect((await visitor.ask("api/overview")).status).toBe(401);
    expect((await visitor.signIn("admin", "")).status).toBe(400);
    expect((await visitor.signIn("admin", "undefined")).status).toBe(401);
  });

  test("it can be switched off", async () => {
    const { url } = await startServer({ ...OPEN, dashboard: { enabled: false } });
    expect((await fetch(`${url}/dashboard/`)).status).toBe(404);
    expect((await fetch(`${url}/dashboard/api/session`)).status).toBe(404);
  });
});

describe("with accounts", () => {
  test("a right password makes a session in a cookie that scripts and other sites never see", async () => {
    const { url } = await startServer(SIGNED);
    const visitor = new Visitor(`${url}/dashboard`);
    expect((await visitor.ask("api/overview")).status).toBe(401);
    const answer = await visitor.signIn("otto", PASSWORDS.otto);
    expect(answer.body).toMatchObject({ user: { name: "otto", role: "operate" }, ways: ["password"] });
    const cookie = answer.headers.get("set-cookie") ?? "";
    for (const part of ["HttpOnly", "SameSite=Strict"]) expect(cookie).toContain(part);
    expect(cookie).toMatch(/Max-Age=43(?:200|1\d\d)\b/);
    expect(cookie).not.toContain("Path=");
    expect(cookie).not.toContain("Secure");
    expect((await visitor.ask("api/overview")).status).toBe(200);
    const encrypted = await visitor.signIn("otto", PASSWORDS.otto, { headers: { "X-Forwarded-Proto": "https" } });
    expect(encrypted.headers.get("set-cookie")).toContain("; Secure");
  });

  test.each([
    ["otto", "wrong"],
    ["nobody", PASSWORDS.otto],
    ["otto", PASSWORDS.anna],
  ])("%s with %p is nobody", async (name, password) => {
    const visitor = new Visitor(`${(await startServer(SIGNED)).url}/dashboard`);
    const answer = await visitor.signIn(name, password);
    expect([answer.status, visitor.cookie]).toEqual([401, undefined]);
  });

  test("who was refused is written down, by no more than a name that somebody has", async () => {
    const { url } = await startServer(SIGNED);
    const visitor = new Visitor(`${url}/dashboard`);
    await visitor.signIn("otto", "wrong");
    await visitor.signIn("my password by mistake", "otto");
    const anna = await signedIn(url, "anna");
    const { text, body } = await anna.ask<AuditEntry[]>("api/audit");
    expect(body.map(({ who, what }) => `${who} ${what}`)).toEqual([
      "anna session.start",
      "unknown session.refuse",
      "otto session.refuse",
    ]);
    expect(body[1]?.detail).toEqual({ address: "127.0.0.1" });
    expect(text).not.toContain("mistake");
  });

  test("the one password of the environment signs in as admin", async () => {
    const { url } = await startServer({ ...OPEN, dashboard: { password: "twelve or more" } });
    const visitor = new Visitor(`${url}/dashboard`);
    expect((await visitor.signIn("admin", "twelve or less")).status).toBe(401);
    expect((await visitor.signIn("admin", "twelve or more")).body.user).toEqual({ name: "admin", role: "admin" });
  });

  test("each sign-in is another session, and ends the one before: a planted one is worth nothing (scenario 70)", async () => {
    const { url } = await startServer(SIGNED);
    const victim = await signedIn(url, "otto");
    const planted = victim.cookie;
    await victim.signIn("otto", PASSWORDS.otto);
    expect(victim.cookie).not.toBe(planted);
    const attacker = new Visitor(`${url}/dashboard`);
    attacker.cookie = planted;
    expect((await attacker.ask("api/overview")).status).toBe(401);
    attacker.cookie = "fanfare-dashboard=chosen.by-the-attacker";
    expect((await attacker.ask("api/overview")).status).toBe(401);
  });

  test("a session cannot be made or changed by hand, nor a ticket be one", async () => {
    const { url } = await startServer(SIGNED);
    const vera = await signedIn(url, "vera");
    const [body = "", signature = ""] = (vera.cookie ?? "").split("=")[1]?.split(".") ?? [];
    const claims = JSON.parse(Buffer.from(body, "base64url").toString());
    const forged = Buffer.from(JSON.stringify({ ...claims, role: "admin" })).toString("base64url");
    const { ticket } = (await vera.post<{ ticket: string }>("api/ticket")).body;
    for (const word of [
      `${forged}.${signature}`,
      `${body}.`,
      body,
      `${body}.${signature}x`,
      ticket,
      "%",
      ".",
      "a.b.c",
    ]) {
      const other = new Visitor(`${url}/dashboard`);
      other.cookie = `fanfare-dashboard=${word}`;
      expect((await other.ask("api/overview")).status).toBe(401);
    }
  });

  test("signing out ends the session on every copy of the cookie, and its live connection", async () => {
    const { url } = await startServer(SIGNED);
    const vera = await signedIn(url, "vera");
    const copy = new Visitor(vera.base);
    copy.cookie = vera.cookie;
    const live = await vera.watch();
    const left = await vera.ask<Session>("api/session", { method: "DELETE" });
    expect([left.status, left.body.user, vera.cookie]).toEqual([200, undefined, undefined]);
    expect((await copy.ask("api/overview")).status).toBe(401);
    expect((await live.socket.closed).code).toBe(4009);
  });

  test("a session holds on another node with the same accounts, and not with others", async () => {
    const vera = await signedIn((await startServer(SIGNED)).url, "vera");
    const twin = new Visitor(`${(await startServer(SIGNED)).url}/dashboard`);
    const stranger = new Visitor(
      `${(await startServer({ ...SIGNED, dashboard: { users: USERS.slice(0, 1) } })).url}/dashboard`,
    );
    twin.cookie = vera.cookie;
    stranger.cookie = vera.cookie;
    expect((await twin.ask("api/overview")).status).toBe(200);
    expect((await stranger.ask("api/overview")).status).toBe(401);
  });

  test("a token signs in for as long as it is valid, where it names a role", async () => {
    const secret = "a secret of more than thirty-two characters";
    const { url } = await startServer({ ...OPEN, dashboard: { token: { secret } } });
    const visitor = new Visitor(`${url}/dashboard`);
    const soon = Math.floor(Date.now() / 1000) + 60;
    const signInBy = async (claims: object, by = secret) =>
      visitor.post<Session>("api/session", { token: await makeToken({ ...claims }, by) });
    for (const claims of [
      { sub: "ada", role: "view" },
      { sub: "ada", exp: soon },
      { sub: "ada", role: "root", exp: soon },
      { sub: "ada", role: "view", exp: soon - 3600 },
      { role: "view", exp: soon },
    ]) {
      expect((await signInBy(claims)).status).toBe(401);
    }
    expect(
      (await signInBy({ sub: "ada", role: "admin", exp: soon }, "another secret of thirty-two characters")).status,
    ).toBe(401);
    const { body } = await signInBy({ sub: "ada", role: "operate", exp: soon });
    expect(body).toMatchObject({ user: { name: "ada", role: "operate" }, ways: ["token"], expiresAtMs: soon * 1000 });
  });
});

describe("a program that signs in for a person", () => {
  const roleOf = (visitor: Visitor) => sessionOf(visitor).then(({ user }) => user?.role);

  test.each([
    ["anna", "view", "view"],
    ["anna", "operate", "operate"],
    ["otto", "admin", "operate"],
    ["vera", "operate", "view"],
  ] as const)("for %s, with at most %s, may %s", async (name, role, expected) => {
    const { url } = await startServer(SIGNED);
    const visitor = new Visitor(`${url}/dashboard`);
    await visitor.post("api/session", { name, password: PASSWORDS[name], role });
    expect(await roleOf(visitor)).toBe(expected);
    const event = { channel: "x", event: "y", data: "1" };
    const { status } = await visitor.post("api/apps/app/events", event);
    expect(status).toBe(expected === "view" ? 403 : 200);
  });

  test("is named in the audit log beside what it does, and a person is not", async () => {
    const { url } = await startServer(SIGNED);
    const visitor = new Visitor(`${url}/dashboard`);
    const agent = "a program";
    await visitor.post("api/session", { name: "otto", password: PASSWORDS.otto, agent });
    await visitor.post("api/apps/app/events", { channel: "x", event: "y", data: "1" });
    await visitor.ask("api/session", { method: "DELETE" });
    const anna = await signedIn(url, "anna");
    await anna.post("api/apps/app/users/7/terminate");
    const { body } = await anna.ask<AuditEntry[]>("api/audit");
    expect(body.map(({ what, detail }) => [what, detail.agent])).toEqual([
      ["user.terminate", undefined],
      ["session.start", undefined],
      ["session.end", agent],
      ["event.send", agent],
      ["session.start", agent],
    ]);
  });

  test.each([
    { role: "owner" },
    { role: "" },
    { agent: "" },
    { agent: "x".repeat(65) },
    { agent: 7 },
    { also: "this" },
  ])("is refused where it says %j", async (more) => {
    const visitor = new Visitor(`${(await startServer(SIGNED)).url}/dashboard`);
    const { status } = await visitor.post("api/session", { name: "anna", password: PASSWORDS.anna, ...more });
    expect([status, visitor.cookie]).toEqual([400, undefined]);
  });
});

describe("with a gate of the program's (B31)", () => {
  const gated = async (authorizeDashboard: ServerOptions["authorizeDashboard"]) => {
    const server = createServer({
      ...{ ...SIGNED, host: "127.0.0.1", port: 0, log: { level: "silent" } },
      ...(authorizeDashboard && { authorizeDashboard }),
    });
    atEnd(() => server.stop());
    await server.start();
    return server;
  };

  test("it alone decides, request by request, and says the role", async () => {
    const { url } = await gated((request) => {
      const who = request.headers.get("x-team");
      return who === "ops" ? { name: "ops", role: "operate" } : who === "desk" ? "view" : false;
    });
    const visitor = new Visitor(`${url}/dashboard`);
    expect((await visitor.ask("api/overview")).status).toBe(401);
    expect(await sessionOf(visitor, { "x-team": "ops" })).toMatchObject({ user: { name: "ops", role: "operate" } });
    expect((await visitor.ask("api/overview", { headers: { "x-team": "desk" } })).status).toBe(200);
    expect((await visitor.ask("api/audit", { headers: { "x-team": "desk" } })).status).toBe(403);
    await visitor.signIn("anna", PASSWORDS.anna);
    expect((await visitor.ask("api/overview")).status).toBe(401);
  });

  test("what it throws lets nobody in", async () => {
    const server = await gated(() => {
      throw new Error("no directory");
    });
    const failures: string[] = [];
    server.on("error", (error) => failures.push(String(error)));
    expect((await new Visitor(`${server.url}/dashboard`).ask("api/overview")).status).toBe(500);
    await eventually(() => expect(failures).toContain("Error: no directory"));
  });
});

describe("a ticket", () => {
  test("opens one live connection, once", async () => {
    const vera = await signedIn((await startServer(SIGNED)).url, "vera");
    const { ticket } = (await vera.post<{ ticket: string }>("api/ticket")).body;
    await openLive(vera.base, ticket);
    await expect(openLive(vera.base, ticket)).rejects.toThrow("token_invalid");
    await expect(openLive(vera.base, "")).rejects.toThrow("token_invalid");
    await expect(openLive(vera.base, (vera.cookie ?? "").split("=")[1] ?? "")).rejects.toThrow("token_invalid");
  });
});

test("other accounts after a reload end the sessions there are, and those who watch", async () => {
  const server = await startServer(SIGNED);
  const [vera, otto] = [await signedIn(server.url, "vera"), await signedIn(server.url, "otto")];
  const live = await vera.watch();
  await server.reload({
    ...SIGNED,
    log: { level: "silent" },
    dashboard: { users: USERS.filter(({ name }) => name !== "vera") },
  });
  expect((await live.socket.closed).code).toBe(4009);
  expect((await vera.ask("api/overview")).status).toBe(401);
  expect((await otto.ask("api/overview")).status).toBe(401);
  expect((await otto.signIn("otto", PASSWORDS.otto)).status).toBe(200);
  expect((await vera.signIn("vera", PASSWORDS.vera)).status).toBe(401);
});
