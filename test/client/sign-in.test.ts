/** Who is signed in: tokens that are fetched, renewed and refused, with a clock of the test's own and against the real server. */

import { describe, expect, test } from "bun:test";
import type { TokenRequest } from "../../packages/client/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken } from "../support/native-client.ts";
import { FakeWorld, rejection, settled } from "./fake-world.ts";
import { startWorld } from "./server-world.ts";

const DAY_MS = 86_400_000;

/** Unsigned: only the client reads it. */
function tokenOf(claims: object): string {
  return ["{}", JSON.stringify(claims)].map((part) => btoa(part)).join(".");
}

/** A source of tokens that live for so long by a clock that is wrong by an hour, and what it was asked for. */
function source(world: FakeWorld, lifeS: number) {
  const reasons: TokenRequest["reason"][] = [];
  const token = ({ reason }: TokenRequest) => {
    reasons.push(reason);
    const iat = Math.floor(world.now() / 1000) + 3_600;
    return tokenOf({ sub: "ada", n: reasons.length, iat, exp: iat + lifeS });
  };
  return { token, reasons };
}

describe("a token", () => {
  test("goes in the first frame, where the server takes it there", async () => {
    const world = new FakeWorld();
    world.client({ token: "t" }).connect();
    await settled();
    expect(world.socket.url).toBe("ws://server?auth=frame");
    expect(world.socket.sent).toEqual([]);
    world.socket.open();
    expect(world.socket.sent).toEqual([{ event: "authenticate", data: { token: "t" } }]);
  });

  test.each([
    ["welcomes anybody", (world: FakeWorld) => world.socket.welcome({ features: [] })],
    [
      "refuses who has no token",
      (world: FakeWorld) =>
        world.socket.receive({ event: "closing", code: "unauthorized", message: "…", reconnect: "never" }),
    ],
  ])("goes in the address to an older server that %s", async (_what, meet) => {
    const world = new FakeWorld();
    const client = world.client({ token: "a+b" });
    client.connect();
    await settled();
    meet(world);
    await settled();
    expect(world.socket.url).toBe("ws://server?token=a%2Bb");
    world.socket.welcome({ features: [], user: { id: "ada" } });
    expect(client.snapshot).toMatchObject({ state: "connected", user: { id: "ada" } });
    world.socket.end();
    await world.pass(1_000);
    expect(world.socket.url).toBe("ws://server?token=a%2Bb");
  });

  test("is renewed at 80 % of its life on the open connection, whatever the clock says", async () => {
    const world = new FakeWorld();
    const { token, reasons } = source(world, 20);
    const client = world.client({ token, timeouts: { pingMs: 3_600_000 } });
    client.connect();
    await settled();
    world.socket.welcome();
    await world.pass(15_999);
    expect(reasons).toEqual(["connect"]);
    await world.pass(1);
    expect(reasons).toEqual(["connect", "refresh"]);
    world.socket.answer("authenticate", "authenticated", { data: { user: { id: "ada" } } });
    await world.pass(16_000);
    expect(reasons).toEqual(["connect", "refresh", "refresh"]);
    expect(world.sockets).toHaveLength(1);
  });

  test("that lives for longer than a timer can is not renewed at once", async () => {
    const world = new FakeWorld();
    const { token, reasons } = source(world, (60 * DAY_MS) / 1000);
    const client = world.client({ token, timeouts: { pingMs: 100 * DAY_MS } });
    client.connect();
    await settled();
    world.socket.welcome();
    await world.pass(47 * DAY_MS);
    expect(reasons).toEqual(["connect"]);
    await world.pass(DAY_MS);
    expect(reasons).toEqual(["connect", "refresh"]);
  });

  test("that is still good is used again for the next connection, and one that is not is fetched", async () => {
    const world = new FakeWorld();
    const { token, reasons } = source(world, 60);
    world.client({ token }).connect();
    await settled();
    world.socket.welcome();
    world.socket.end();
    await world.pass(1_000);
    expect(reasons).toEqual(["connect"]);
    await world.sleep(600_000);
    await world.pass(60_000);
    expect(reasons.length).toBeGreaterThan(1);
  });

  test("that ends during the recovery is replaced, and nothing is lost", async () => {
    const world = new FakeWorld();
    const { token, reasons } = source(world, 3_600);
    const client = world.client({ token });
    const heard: unknown[] = [];
    client.channel("room").on("n", (n) => heard.push(n));
    await settled();
    const at = (offset: number) => ({ position: { epoch: "e", offset } });
    world.socket.welcome();
    world.socket.subscribed(at(1));
    await world.pass(6_000);
    world.socket.end();
    await world.pass(1_000);
    world.socket.welcome();
    // The subscription is under way when the token's end comes.
    world.socket.receive({ event: "closing", code: "token_expired", message: "…", reconnect: "never" });
    expect(client.snapshot.state).toBe("reconnecting");
    await world.pass(2_000);
    expect(reasons).toEqual(["connect", "rejected"]);
    world.socket.welcome();
    expect(world.socket.last("subscribe").data).toMatchObject(at(1));
    world.socket.subscribed({ ...at(1), recovered: true });
    world.socket.receive({ event: "n", channel: "room", data: 2, ...at(2) });
    expect(heard).toEqual([2]);
  });

  test("that is refused twice in a row is the end, and connect() asks again", async () => {
    const world = new FakeWorld();
    const { token, reasons } = source(world, 60);
    const client = world.client({ token });
    client.connect();
    for (let n = 0; n < 2; n++) {
      await world.pass(1_000);
      world.socket.receive({ event: "closing", code: "token_invalid", message: "…", reconnect: "never" });
    }
    expect(client.snapshot).toMatchObject({ state: "failed", error: { code: "token_invalid" } });
    await world.pass(60_000);
    expect(reasons).toEqual(["connect", "rejected"]);
    client.connect();
    await settled();
    world.socket.welcome();
    expect(client.snapshot.state).toBe("connected");
  });

  test("that is null means that nobody is signed in", async () => {
    const world = new FakeWorld();
    const client = world.client({ token: () => null });
    expect(await rejection(client.connected())).toMatchObject({ code: "token_unavailable", retryable: false });
    expect(client.snapshot.state).toBe("failed");
    expect(world.timers).toBe(0);
  });

  test("that cannot be fetched is asked for again after a pause", async () => {
    const world = new FakeWorld();
    let calls = 0;
    const client = world.client({
      token: () => {
        if (++calls < 3) throw new Error("the back end is down");
        return "t";
      },
    });
    client.connect();
    await world.pass(1_000);
    expect(client.snapshot).toMatchObject({ state: "connecting", attempt: 2, error: { code: "token_unavailable" } });
    await world.pass(2_000);
    expect(world.sockets).toHaveLength(1);
  });

  test("whose end only the server knows is renewed when it says so, and one that says it itself is not renewed twice", async () => {
    for (const opaque of [true, false]) {
      const world = new FakeWorld();
      const { token, reasons } = source(world, 3_600);
      world.client({ token: opaque ? (why) => token(why).slice(5) : token }).connect();
      await settled();
      world.socket.welcome();
      world.socket.receive({ event: "expiring", data: { afterMs: 30_000 } });
      await world.pass(15_000);
      expect(reasons).toEqual(opaque ? ["connect", "refresh"] : ["connect"]);
    }
  });

  test("that comes after the connection has changed is discarded", async () => {
    const world = new FakeWorld();
    const given: ((token: string) => void)[] = [];
    const client = world.client({ token: () => new Promise((resolve) => given.push(resolve)) });
    client.connect();
    await settled();
    const life = { iat: world.now() / 1000, exp: world.now() / 1000 + 100 };
    given[0]?.(tokenOf(life));
    await settled();
    world.socket.welcome();
    await world.pass(15_000);
    client.wake();
    world.socket.answer("ping", "pong");
    await world.pass(14_000);
    client.wake();
    world.socket.answer("ping", "pong");
    await world.pass(25_000);
    client.wake();
    world.socket.answer("ping", "pong");
    await world.pass(26_000);
    expect(given).toHaveLength(2);
    world.socket.end();
    await world.pass(1_000);
    world.socket.welcome();
    given[1]?.("late");
    await settled();
    expect(world.socket.of("authenticate").map(({ data }) => data?.token)).toEqual([tokenOf(life)]);
  });
});

describe("signing in and out", () => {
  test("while connecting is one connection, as the one who signed in last", async () => {
    const world = new FakeWorld();
    const client = world.client();
    client.connect();
    const signedIn = client.authenticate({ token: "new" });
    await settled();
    world.socket.welcome();
    await settled();
    expect(world.socket.last("authenticate").data).toEqual({ token: "new" });
    world.socket.answer("authenticate", "authenticated", { data: { user: { id: "ada" } } });
    expect(await signedIn).toEqual({ id: "ada" });
    const signedOut = client.signOut();
    const again = client.signOut();
    await settled();
    expect(world.openSockets).toBe(1);
    expect(world.socket.url).toBe("ws://server");
    world.socket.welcome();
    await Promise.all([signedOut, again]);
    expect(client.snapshot.user).toBeUndefined();
  });

  test("with other credentials is repeated on each connection, before its channels", async () => {
    const world = new FakeWorld();
    const client = world.client();
    client.channel("room").hold();
    const signedIn = client.authenticate({ username: "ada", password: "x" });
    await settled();
    world.socket.welcome();
    await settled();
    world.socket.answer("authenticate", "authenticated", { data: { user: { id: "ada" } } });
    await signedIn;
    world.socket.end();
    await world.pass(1_000);
    world.socket.welcome();
    expect(world.socket.sent.map(({ event }) => event)).toEqual(["authenticate"]);
    world.socket.answer("authenticate", "authenticated", { data: { user: { id: "ada" } } });
    expect(world.socket.sent.map(({ event }) => event)).toEqual(["authenticate", "subscribe"]);
  });
});

describe("with the real server", () => {
  test("a token is renewed before it ends, and private channels and events for the user are there all the time", async () => {
    const world = await startWorld({ anonymous: false });
    let fetched = 0;
    const token = () => {
      fetched++;
      const iat = Math.floor(Date.now() / 1000);
      return makeToken({ sub: "ada", iat, exp: iat + 3, channels: ["private-*"] });
    };
    const client = world.client({ token });
    client.channel("private-room").hold();
    await eventually(() => expect(client.channel("private-room").snapshot.state).toBe("attached"));
    expect(client.snapshot.user).toEqual({ id: "ada" });
    const { id } = client.snapshot;
    await eventually(() => expect(fetched).toBeGreaterThanOrEqual(3), { withinMs: 30_000 });
    expect(client.snapshot.id).toBe(id as string);
  }, 40_000);

  test("without a token where one is needed it fails with the server's reason", async () => {
    const world = await startWorld({ anonymous: false });
    expect(await rejection(world.client().connected())).toMatchObject({ code: "unauthorized" });
    expect(await rejection(world.client({ token: "nonsense" }).connected())).toMatchObject({ code: "token_invalid" });
  });
});
