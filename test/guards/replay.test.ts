/** A signed API call counts once where the app wants that. */

import { describe, expect, test } from "bun:test";
import { CommandError } from "../../packages/server/src/domain/error.ts";
import { replayGuard } from "../../packages/server/src/guards/replay.ts";
import { FakeClock, fakeApp } from "../support/fakes.ts";
import { connectPusher, signedUrl } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const EVENT = JSON.stringify({ name: "x", channel: "c", data: "1" });
const WINDOW_S = 600;

const nowS = () => Math.floor(Date.now() / 1000);

/** Two calls made a second apart are two, as a back end that signs each anew makes them. */
function eventUrl(url: string, app: { id: string; key: string; secret: string } = APP, timestamp = nowS()): string {
  return signedUrl(url, app, "POST", "/events", { body: EVENT, tamper: { timestamp } });
}

const post = (url: string) => fetch(url, { method: "POST", body: EVENT });

describe("a server with replay protection", async () => {
  const other = { id: "other", key: "other-key", secret: "other-secret", replayProtection: false };
  const server = await startServer({ apps: [{ ...APP, replayProtection: true }, other] });

  test("publishes a call once, and refuses the same one again with 401", async () => {
    const reader = await connectPusher(server.url);
    await reader.subscribe("c");
    const call = eventUrl(server.url);
    expect((await post(call)).status).toBe(200);
    for (const again of [await post(call), await post(call)]) {
      expect(again.status).toBe(401);
      const error = "This very call was made before: sign each call anew.";
      expect(await again.json()).toEqual({ error, code: "signature_invalid" });
    }
    expect((await reader.nextIn("c")).data).toBe("1");
    await reader.ping();
    await reader.silence(0, "x");
  });

  test("lets the same call through when it is signed anew", async () => {
    // Read once: a second that passes in between would make two of them the same call.
    const signedAtS = nowS();
    const statuses = [1, 2, 3].map(async (age) => (await post(eventUrl(server.url, APP, signedAtS - age))).status);
    expect(await Promise.all(statuses)).toEqual([200, 200, 200]);
  });

  test("counts one of many that arrive at once", async () => {
    const call = eventUrl(server.url, APP, nowS() - 10);
    const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await post(call)).status));
    expect(statuses.toSorted()).toEqual([200, ...Array.from({ length: 19 }, () => 401)]);
  });

  test("knows the call in another order, under another spelling, and by way of another path", async () => {
    const call = new URL(eventUrl(server.url, APP, nowS() - 20));
    expect((await post(call.href)).status).toBe(200);
    const reversed = new URLSearchParams([...call.searchParams].reverse());
    expect((await post(`${call.origin}${call.pathname}?${reversed}`)).status).toBe(401);
    expect((await post(`${call.origin}/prefix${call.pathname}${call.search}`)).status).toBe(401);
    expect((await post(call.href.replace("auth_version", "%61uth_version"))).status).toBe(401);
    // Values are signed as they are, so that two parameters and one with an "&" in it are the same text.
    const joined = new URLSearchParams(call.searchParams);
    joined.delete("auth_timestamp");
    joined.set("auth_key", `${APP.key}&auth_timestamp=${call.searchParams.get("auth_timestamp")}`);
    expect((await post(`${call.origin}${call.pathname}?${joined}`)).status).toBe(401);
  });

  test("remembers calls that were refused for what they said, and none that nobody signed", async () => {
    const wrong = signedUrl(server.url, APP, "GET", "/channels/c/users");
    expect([(await fetch(wrong)).status, (await fetch(wrong)).status]).toEqual([400, 401]);
    const call = eventUrl(server.url, APP, nowS() - 30);
    const forged = call.replace(/auth_signature=.{4}/, "auth_signature=0000");
    expect([(await post(forged)).status, (await post(call)).status]).toEqual([401, 200]);
  });

  test("leaves the app beside it alone", async () => {
    const call = eventUrl(server.url, other);
    expect([(await post(call)).status, (await post(call)).status]).toEqual([200, 200]);
  });
});

test("without replay protection the same call counts as often as it comes", async () => {
  const { url } = await startServer();
  const call = eventUrl(url);
  expect([(await post(call)).status, (await post(call)).status]).toEqual([200, 200]);
});

describe("the memory of calls", () => {
  const app = fakeApp({ replayProtection: true });
  const signature = (n: number) => n.toString(16).padStart(32, "0").padEnd(64, "f");

  function guard(remembered: number) {
    const clock = new FakeClock();
    const made = replayGuard({ clock, windowS: WINDOW_S, remembered });
    /** The code it is refused with. */
    const call = (n: number, timestampS: number, of = app) => {
      try {
        made.apiCall?.(of, { signature: signature(n), timestampS });
        return undefined;
      } catch (error) {
        return error instanceof CommandError ? error.code : error;
      }
    };
    return { clock, call, startS: clock.wall / 1000 };
  }

  test("lasts as long as a call would count, from the earliest time to the latest", () => {
    const { clock, call, startS } = guard(10);
    const times = [startS - WINDOW_S, startS, startS + WINDOW_S];
    expect(times.map((timestampS, n) => call(n, timestampS))).toEqual([undefined, undefined, undefined]);
    expect(times.map((timestampS, n) => call(n, timestampS))).toEqual(times.map(() => "signature_invalid"));
    clock.pass(2 * WINDOW_S * 1000);
    expect(call(2, startS + WINDOW_S)).toBe("signature_invalid");
  });

  test("is bounded: a call that would be one too many is refused, until older ones have expired", () => {
    const { clock, call, startS } = guard(3);
    expect([0, 1, 2, 3].map((n) => call(n, startS))).toEqual([undefined, undefined, undefined, "rate_limited"]);
    expect(call(0, startS)).toBe("signature_invalid");
    expect(call(0, startS, fakeApp({ id: "other", replayProtection: true }))).toBeUndefined();
    clock.pass((WINDOW_S + 1) * 1000);
    expect([4, 5, 6, 7].map((n) => call(n, startS + WINDOW_S))).toEqual([
      undefined,
      undefined,
      undefined,
      "rate_limited",
    ]);
  });
});
