/** The program's own authenticator beside tokens and Pusher's sign-in: all end in one user (S7, S11, S12, S33, A22, A29). */

import { describe, expect, test } from "bun:test";
import { CommandError, type Server } from "../../packages/server/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { connectAs, connectNative, dialNative, makeToken } from "../support/native-client.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { startServer } from "../support/server.ts";

const PASSWORDS: Readonly<Record<string, string>> = { ada: "lovelace", bob: "builder" };

/** Knows two users by their passwords, and opaque tokens of the form `opaque-NAME`. */
async function startWithUsers(asked: unknown[] = []): Promise<Server> {
  const server = await startServer({}, { anonymous: true });
  return server.setAuthenticator(async (credentials, app) => {
    asked.push([credentials, app.id]);
    const { username, password, token } = credentials;
    if (typeof token === "string" && token.startsWith("opaque-")) return { id: token.slice("opaque-".length) };
    if (typeof username !== "string" || typeof password !== "string") return false;
    if (PASSWORDS[username] !== password) return false;
    return { id: username, info: { name: username.toUpperCase() }, channels: ["private-users", "presence-*"] };
  });
}

describe("credentials (S11, S12)", () => {
  test("make the connection the user's, with what the program says of it", async () => {
    const asked: unknown[] = [];
    const server = await startWithUsers(asked);
    const client = await connectNative(server.url);
    const answer = await client.ask("authenticate", { username: "ada", password: "lovelace" });
    expect(answer).toMatchObject({ event: "authenticated", data: { user: { id: "ada", info: { name: "ADA" } } } });
    expect(asked).toEqual([[{ username: "ada", password: "lovelace" }, "app"]]);
    expect(server.connections.get(client.id)?.user).toMatchObject({ id: "ada" });
    await client.subscribe("private-users");
    expect((await client.subscribe("presence-a")).data).toEqual({ members: [{ id: "ada", info: { name: "ADA" } }] });
    await server.toUser("ada").push({ event: "hello", data: 1 });
    expect((await client.next("hello")).data).toBe(1);
  });

  test("may say the user's info as text, which others see as it was written", async () => {
    const server = await startServer({}, { anonymous: true });
    const infoText = '{"n":1234567890123456789}';
    const given = { info: JSON.parse(infoText) as unknown, infoText };
    server.setAuthenticator(() => ({ id: "ada", ...given, channels: ["presence-a"] }));
    server.on("authorize", () => ({ id: "bob", ...given }), "presence-b");
    const client = await connectNative(server.url);
    await client.ask("authenticate", { username: "ada" });
    for (const channel of ["presence-a", "presence-b"]) {
      await client.subscribe(channel);
      expect(String(client.socket.raw.at(-1))).toContain(`"info":${infoText}`);
      expect(await server.members(channel)).toMatchObject([{ infoText }]);
    }
  });

  test("that the program only calls good are the username's that is in them, else those of a user of their own (S11, S12)", async () => {
    const server = await startServer({}, { anonymous: true });
    server.setAuthenticator(({ token }) => token === "good").createChannel("members", { auth: true });
    const users: string[] = [];
    for (const credentials of [{ username: "ada", token: "good" }, { username: 7, token: "good" }, { token: "good" }]) {
      const client = await connectNative(server.url);
      const { data } = await client.ask("authenticate", credentials);
      users.push((data as { user: { id: string } }).user.id);
      await client.subscribe("members");
      await server.toUser(users.at(-1) ?? "").push({ event: "hello", data: 1 });
      expect((await client.next("hello")).data).toBe(1);
    }
    const { welcome } = await connectNative(server.url, { token: "good" });
    const own = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    expect([...users, welcome.user?.id]).toEqual(["ada", "7", own, own]);
    expect(welcome.user?.id).not.toBe(users[2]);
    const client = await connectNative(server.url);
    expect((await client.ask("authenticate", { username: "ada", token: "bad" })).code).toBe("unauthorized");
  });

  test("that are invalid are refused, and the connection goes on without a user", async () => {
    const server = await startWithUsers();
    const client = await connectNative(server.url);
    for (const credentials of [{ username: "ada", password: "wrong" }, { username: "eve" }, { anything: [1] }]) {
      const answer = await client.ask("authenticate", credentials);
      expect(answer).toMatchObject({ event: "error", code: "unauthorized", message: "The credentials are refused." });
    }
    expect(server.connections.get(client.id)?.user).toBeUndefined();
    expect((await client.ask("authenticate", { username: "bob", password: "builder" })).event).toBe("authenticated");
    const other = await client.ask("authenticate", { username: "ada", password: "lovelace" });
    expect(other.code).toBe("already_signed_in");
  });

  test("can be tried as often per second as a client may send events", async () => {
    const asked: unknown[] = [];
    const server = await startServer({}, { anonymous: true, limits: { clientEventsPerSecond: 3 } });
    server.setAuthenticator((credentials) => {
      asked.push(credentials);
      return false;
    });
    const client = await connectNative(server.url);
    const tries = Array.from({ length: 30 }, (_, n) => client.ask("authenticate", { username: "ada", password: n }));
    const codes = (await Promise.all(tries)).map(({ code }) => code);
    expect(codes.slice(0, 3)).toEqual(["unauthorized", "unauthorized", "unauthorized"]);
    expect(codes).toContain("rate_limited");
    expect(asked.length).toBe(codes.filter((code) => code === "unauthorized").length);
  });

  test("are refused without an authenticator, and tokens are not", async () => {
    const server = await startServer({}, { anonymous: true });
    const client = await connectNative(server.url);
    const refused = await client.ask("authenticate", { username: "ada", password: "lovelace" });
    expect(refused).toMatchObject({ code: "unauthorized" });
    for (const data of [{}, { token: 5 }, null, "text"]) {
      expect((await client.ask("authenticate", data)).code).toBe("malformed");
    }
    const answer = await client.ask("authenticate", { username: "x", token: await makeToken({ sub: "ada" }) });
    expect(answer).toMatchObject({ event: "authenticated", data: { user: { id: "ada" } } });
  });
});

describe("tokens (A22, A29)", () => {
  test("that are valid JWTs are believed without asking, in a command and at the door", async () => {
    const asked: unknown[] = [];
    const server = await startWithUsers(asked);
    const ada = await connectAs(server.url, "ada");
    expect(ada.welcome.user?.id).toBe("ada");
    const client = await connectNative(server.url);
    expect((await client.ask("authenticate", { token: await makeToken({ sub: "bob" }) })).event).toBe("authenticated");
    expect(asked).toEqual([]);
  });

  test("of any other kind are for the authenticator, in a command and at the door", async () => {
    const asked: unknown[] = [];
    const server = await startWithUsers(asked);
    const client = await connectNative(server.url);
    expect(await client.ask("authenticate", { token: "opaque-cyd" })).toMatchObject({ data: { user: { id: "cyd" } } });
    const dee = await connectNative(server.url, { token: "opaque-dee" });
    expect(dee.welcome.user).toEqual({ id: "dee" });
    const eve = await connectNative(server.url, { headers: { Authorization: "Bearer opaque-eve" } });
    expect(eve.welcome.user).toEqual({ id: "eve" });
    expect(asked.map((call) => (call as unknown[])[0])).toEqual([
      { token: "opaque-cyd" },
      { token: "opaque-dee" },
      { token: "opaque-eve" },
    ]);
  });

  test("that neither knows are refused: an error in a command, a close in a handshake", async () => {
    const server = await startWithUsers();
    const expired = await makeToken({ sub: "ada", exp: 1 });
    const client = await connectNative(server.url);
    for (const token of ["nonsense", expired]) {
      expect((await client.ask("authenticate", { token })).code).toBe("unauthorized");
      const turnedAway = await dialNative(server.url, { token });
      expect(await turnedAway.next()).toMatchObject({ event: "closing", code: "token_invalid", reconnect: "never" });
      expect((await turnedAway.closed).code).toBe(4009);
    }
  });

  test("beside other credentials are all the authenticator's", async () => {
    const asked: unknown[] = [];
    const server = await startWithUsers(asked);
    const client = await connectNative(server.url);
    const token = await makeToken({ sub: "ada" });
    expect((await client.ask("authenticate", { username: "eve", token })).code).toBe("unauthorized");
    expect(asked).toEqual([[{ username: "eve", token }, "app"]]);
  });
});

describe("an authenticator that fails", () => {
  const answers: readonly (readonly [string, () => unknown, string, string])[] = [
    ["throws", () => Promise.reject(new Error("secret detail")), "internal", "internal"],
    ["returns a name", () => "ada", "internal", "internal"],
    ["returns a user without id", () => ({ info: 1 }), "internal", "internal"],
    ["returns a user whose id is too long", () => ({ id: "x".repeat(300) }), "user_invalid", "token_invalid"],
    [
      "refuses in its own words",
      () => {
        throw new CommandError("unauthorized", "Not on Sundays.");
      },
      "unauthorized",
      "token_invalid",
    ],
  ];
  test.each(answers)("because it %s lets no client in, and the server goes on", async (_, answer, code, farewell) => {
    const server = await startServer({}, { anonymous: true });
    const errors: unknown[] = [];
    server.on("error", (error) => errors.push(error));
    server.setAuthenticator(answer as () => false);
    const client = await connectNative(server.url);
    const refused = await client.ask("authenticate", { username: "ada" });
    expect(refused.code).toBe(code);
    const turnedAway = await dialNative(server.url, { token: "opaque" });
    const closing = await turnedAway.next();
    expect(closing.code).toBe(farewell);
    expect(JSON.stringify([refused, closing])).not.toContain("secret detail");
    const count = code === "internal" ? 2 : 0;
    await eventually(() => expect(errors).toHaveLength(count));
    expect(server.connections.get(client.id)?.user).toBeUndefined();
    server.setAuthenticator(undefined);
    expect((await client.ask("authenticate", { token: await makeToken({ sub: "ada" }) })).event).toBe("authenticated");
  });
});

test("a token, credentials and Pusher's sign-in all make the same user (S33)", async () => {
  const server = await startWithUsers();
  const token = await connectAs(server.url, "ada");
  const password = await connectNative(server.url);
  await password.ask("authenticate", { username: "ada", password: "lovelace" });
  const pusher = await connectPusher(server.url);
  expect((await pusher.signin({ id: "ada" })).event).toBe("pusher:signin_success");
  await pusher.subscribe("#server-to-user-ada");
  const users = [token.id, password.id, pusher.socketId].map((id) => server.connections.get(id)?.user?.id);
  expect(users).toEqual(["ada", "ada", "ada"]);
  await server.toUser("ada").push({ event: "hello", data: 1 });
  for (const client of [token, password, pusher]) expect(String((await client.next("hello")).data)).toBe("1");
});

describe("a user whom the program terminates", () => {
  test("comes in again as soon as the program says so, and by an older JWT only where it said so as well", async () => {
    const server = await startWithUsers();
    const jwt = await makeToken({ sub: "ada", iat: Math.floor(Date.now() / 1000) - 60 });
    const [one, other] = [
      await connectNative(server.url, { token: jwt }),
      await connectNative(server.url, { token: jwt }),
    ];
    await one.ping();
    // One connection is not the user.
    expect(server.disconnect(one.id)).toBe(true);
    await (await connectNative(server.url, { token: jwt })).ping();
    await server.app().terminate("ada", { revoke: false });
    expect((await other.socket.closed).code).toBe(4009);
    await (await connectNative(server.url, { token: jwt })).ping();
    await server.app().terminate("ada");
    const refused = await connectNative(server.url, { token: jwt });
    expect(await refused.next("closing")).toMatchObject({ code: "token_invalid", reconnect: "never" });
    await Bun.sleep(2);
    const again = await connectNative(server.url, { token: "opaque-ada" });
    const asked = await connectNative(server.url);
    expect((await asked.ask("authenticate", { username: "ada", password: "lovelace" })).event).toBe("authenticated");
    await again.ping();
    server.setAuthenticator(({ token }) => ({ id: "ada", issuedAtMs: Number(token) }));
    const dated = (token: number) => asked.ask("authenticate", { token: String(token) });
    expect(await dated(Date.now() - 60_000)).toMatchObject({ event: "error", code: "unauthorized" });
    expect(await dated(Date.now())).toMatchObject({ event: "authenticated" });
  });
});
