/** Cross-site WebSocket hijacking: whose pages may connect. Scenario 63; S32, B10. */

import { describe, expect, test } from "bun:test";
import { dialNative, makeToken } from "../support/native-client.ts";
import { dialPusher } from "../support/pusher-client.ts";
import { connectRawWebSocket, OPCODE } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";

const ALLOWED = ["https://good.example", "http://localhost:3000", "*.apps.example", "other.example"];

const open = { ...APP, id: "open", key: "open-key", anonymous: true };
const listed = { ...APP, anonymous: true, allowedOrigins: ALLOWED };
const strict = { ...listed, id: "strict", key: "strict-key", allowMissingOrigin: false };
const withNull = { ...listed, id: "null", key: "null-key", allowedOrigins: ["null"] };
const openButStrict = { ...open, id: "open-strict", key: "open-strict-key", allowMissingOrigin: false };

const { url } = await startServer({ apps: [listed, open, strict, withNull, openButStrict] });

type Keys = typeof APP | { id: string; key: string; secret: string };

/** The first frame's event and, where the server hangs up, the code it does so with. */
async function pusher(app: Keys, origin: string | undefined): Promise<readonly unknown[]> {
  const socket = await dialPusher(url, { app, headers: origin === undefined ? {} : { Origin: origin } });
  const { event, data } = await socket.next();
  return event === "pusher:error" ? [event, data, await socket.closed] : [event];
}

async function native(app: Keys, origin: string | undefined): Promise<readonly unknown[]> {
  const socket = await dialNative(url, { app: app.key, headers: origin === undefined ? {} : { Origin: origin } });
  const { event, ...rest } = await socket.next();
  return event === "closing" ? [event, rest, await socket.closed] : [event];
}

/** A header with a blank in it is no origin, and is not repeated. */
const refusalOf = (origin: string) =>
  `${origin.includes(" ") ? "This origin" : `The origin ${origin}`} may not connect to this app (allowedOrigins).`;

const EVIL = [
  ["another site", "https://evil.example"],
  ["a name that ends alike", "https://evil-good.example"],
  ["a name that begins alike", "https://good.example.evil"],
  ["a name below a listed one", "https://www.good.example"],
  ["a name that ends like a wildcard", "https://evil-apps.example"],
  ["the wildcard's own host", "https://apps.example"],
  ["no site at all", "null"],
  ["another port", "https://good.example:8443"],
  ["another port of localhost", "http://localhost:3001"],
  ["another scheme", "http://good.example"],
  ["a user's name in front", "https://good.example@evil.example"],
  ["a path behind", "https://good.example/evil"],
  ["two origins", "https://good.example, https://evil.example"],
] as const;

describe.each(EVIL)("a page of %s", (_, origin) => {
  test("is refused 4009 where origins are listed, in both protocols (B10, S32, scenario 63)", async () => {
    const message = refusalOf(origin);
    const closed = { code: 4009, reason: message };
    expect(await pusher(listed, origin)).toEqual(["pusher:error", { code: 4009, message }, closed]);
    const farewell = { code: "unauthorized", message, reconnect: "never" };
    expect(await native(listed, origin)).toEqual(["closing", farewell, closed]);
  });

  test("may connect where none is listed (B10)", async () => {
    expect(await pusher(open, origin)).toEqual(["pusher:connection_established"]);
    expect(await native(open, origin)).toEqual(["welcome"]);
  });
});

describe.each([
  "https://good.example",
  "https://good.example:443",
  "HTTPS://GOOD.EXAMPLE",
  "http://localhost:3000",
  "https://a.apps.example",
  "http://a.b.apps.example:8080",
  "http://other.example:81",
])("a page of %s, which is listed,", (origin) => {
  test("may connect in both protocols", async () => {
    expect(await pusher(listed, origin)).toEqual(["pusher:connection_established"]);
    expect(await native(listed, origin)).toEqual(["welcome"]);
  });
});

describe("a client without an Origin header", () => {
  test("may connect, for phones and services have none", async () => {
    expect(await pusher(listed, undefined)).toEqual(["pusher:connection_established"]);
    expect(await native(open, undefined)).toEqual(["welcome"]);
  });

  test.each([strict, openButStrict])("is refused 4009 where the app wants one", async (app) => {
    const message = "This app requires an Origin header (allowMissingOrigin is off).";
    const closed = { code: 4009, reason: message };
    expect(await pusher(app, undefined)).toEqual(["pusher:error", { code: 4009, message }, closed]);
    expect((await native(app, undefined)).at(-1)).toEqual(closed);
    expect(await pusher(app, "https://good.example")).toEqual(["pusher:connection_established"]);
  });
});

test("the origin null may connect only where it is listed", async () => {
  expect(await pusher(withNull, "null")).toEqual(["pusher:connection_established"]);
  expect((await pusher(withNull, "https://good.example")).at(-1)).toMatchObject({ code: 4009 });
});

test("a valid token does not help a page that is not listed", async () => {
  const token = await makeToken({ sub: "u" });
  const socket = await dialNative(url, { token, headers: { Origin: "https://evil.example" } });
  expect(await socket.next()).toMatchObject({ event: "closing", code: "unauthorized" });
});

test.each([["x".repeat(4000)], ["https://\u00e9\u00e9.example"]])(
  "an origin that cannot be shown is refused without being repeated",
  async (origin) => {
    const raw = await connectRawWebSocket(url, `/app/${APP.key}?protocol=7`, { Origin: origin });
    const { payload } = await raw.next(OPCODE.text);
    expect(JSON.parse(payload.toString()).data.message).toBe(
      "This origin may not connect to this app (allowedOrigins).",
    );
    expect(await raw.ending()).toBe(4009);
  },
);

test("every app takes the default origins unless it lists its own", async () => {
  const own = { ...APP, id: "own", key: "own-key", allowedOrigins: ["b.example"] };
  const none = { ...APP, id: "none", key: "none-key", allowedOrigins: [] };
  const server = await startServer({ defaults: { allowedOrigins: ["a.example"] }, apps: [APP, own, none] });
  const asked = async (app: Keys, origin: string) => {
    const socket = await dialPusher(server.url, { app, headers: { Origin: origin } });
    return (await socket.next()).event === "pusher:connection_established";
  };
  expect([await asked(APP, "https://a.example"), await asked(APP, "https://b.example")]).toEqual([true, false]);
  expect([await asked(own, "https://a.example"), await asked(own, "https://b.example")]).toEqual([false, true]);
  expect(await asked(none, "https://c.example")).toBe(true);
});
