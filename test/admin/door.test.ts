/** Who gets in at the dashboard: the machine itself in development, and elsewhere by password, token or the program's word. */

import { describe, expect, test } from "bun:test";
import type { AuditEntry, Session } from "../../src/admin/wire.ts";
import { createServer, type ServerOptions } from "../../src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken } from "../support/native-client.ts";
import { APP, startServer } from "../support/server.ts";
import { openLive, PASSWORDS, SIGNED, signedIn, USERS, Visitor } from "./visitor.ts";

const OPEN = { apps: [APP] };
const sessionOf = async (visitor: Visitor, headers = {}) =>
  (await visitor.ask<Session>("api/session", { headers })).body;

describe("without any account (B31)", () => {
  test("in development the machine itself is let in, as admin", async () => {
    const visitor = new Visitor(`${(await startServer(OPEN)).url}/dashboard`);
    expect(await sessionOf(visitor)).toMatchObject({ isOpen: true, user: { role: "admin" }, ways: [] });
    expect((await visitor.ask("api/overview")).status).toBe(200);
  });

  test.each([
    ["came through a proxy", { "X-Forwarded-For": "127.0.0.1" }],
    ["came through a proxy that says so otherwise", { Forwarded: "for=127.0.0.1" }],
    ["has the page from elsewhere", { Origin: "https://ops.example", "Sec-Fetch-Site": "same-origin" }],
    ["asks by a name that was pointed here (DNS rebinding)", { Host: "evil.example:9501" }],
  ])("whoever %s is not", async (_, headers) => {
    const visitor = new Visitor(`${(await startServer(OPEN)).url}/dashboard`);
    expect(await sessionOf(visitor, headers)).toMatchObject({ isOpen: false });
    expect((await visitor.ask("api/overview", { headers })).status).toBe(401);
    expect((await visitor.post("api/ticket", {}, { headers })).status).toBe(401);
  });

  test("a client on the machine is not let in by a trusted proxy either", async () => {
    const { url } = await startServer({ ...OPEN, trustedProxies: ["loopback"] });
    const headers = { "X-Forwarded-For": "203.0.113.9" };
    expect((await new Visitor(`${url}/dashboard`).ask("api/overview", { headers })).status).toBe(401);
  });

  test("in production nobody is let in, and the page can say why", async () => {
    const visitor = new Visitor(`${(await startServer({ ...OPEN, mode: "production" })).url}/dashboard`);
    expect(await sessionOf(visitor)).toMatchObject({ isOpen: false, ways: [] });
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
    expect(answer.body).toMatchObject({ user: { name: "otto", role: "operate" }, isOpen: false, ways: ["password"] });
    const cookie = answer.headers.get("set-cookie") ?? "";
    for (const part of ["HttpOnly", "SameSite=Strict", "Max-Age=43200"]) expect(cookie).toContain(part);
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
      "somebody session.refuse",
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
