/** The HTTP API: signed, whatever it is told, it never fails; changed by one bit, it is never believed. */

import { afterEach, expect, test } from "bun:test";
import fc from "fast-check";
import { faultsOf } from "../security/faults.ts";
import { signedUrl } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { anyJson, anyText, settings } from "./arbitraries.ts";

const server = await startServer();
const { url } = server;
const faults = faultsOf(server);

afterEach(() => {
  expect(faults.splice(0)).toEqual([]);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

const channel = fc.oneof(
  fc.constantFrom("a", "presence-a", "private-encrypted-a", "cache-a", "#server-to-user-1"),
  anyText,
);
const event = fc.record(
  {
    name: fc.oneof(fc.constantFrom("x", "client-x", "pusher:x"), anyJson, anyText),
    data: fc.oneof(anyText, anyJson),
    channel: fc.oneof(channel, anyJson),
    channels: fc.oneof(fc.array(channel, { maxLength: 3 }), anyJson),
    socket_id: fc.oneof(fc.constant("1.1"), anyJson),
    info: fc.oneof(fc.constantFrom("user_count", "subscription_count,cache", ""), anyJson),
    ["__proto__"]: anyJson,
  },
  { requiredKeys: [] },
);
const rightEvent = fc.record({
  name: fc.constantFrom("x", "client-x"),
  data: anyText,
  channel: fc.constantFrom("a", "cache-a"),
});
const body = fc.oneof(
  rightEvent.map((value) => JSON.stringify(value)),
  event.map((value) => JSON.stringify(value)),
  fc.array(event, { maxLength: 3 }).map((batch) => JSON.stringify({ batch })),
  fc.array(rightEvent, { maxLength: 3 }).map((batch) => JSON.stringify({ batch })),
  fc.json(),
  fc.uint8Array({ maxLength: 60 }),
);
const segment = fc.oneof(
  fc.constantFrom(
    "events",
    "batch_events",
    "channels",
    "users",
    "presence-a",
    "cache-a",
    "1",
    "terminate_connections",
    "stats",
    "",
  ),
  anyText.map((text) => encodeURIComponent(text.toWellFormed())),
  fc.constantFrom("%", "%zz", "%00", "%ff", ".."),
);
const path = fc.oneof(
  fc.constantFrom(
    "/events",
    "/batch_events",
    "/channels",
    "/channels/presence-a",
    "/channels/presence-a/users",
    "/channels/a/events",
  ),
  fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join("/")}`),
);
const query = fc.dictionary(
  fc.constantFrom("info", "filter_by_prefix", "name", "socket_id", "__proto__", "other"),
  fc
    .oneof(fc.constantFrom("user_count", "subscription_count", "cache", "presence-", "1.1"), anyText)
    .map((text) => text.toWellFormed()),
  { maxKeys: 3 },
);
const request = fc.record({
  method: fc.constantFrom("GET", "POST", "POST", "PUT", "DELETE", "PATCH"),
  path,
  query,
  body,
});

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** The address with its signature, and the bytes that go with it. */
function signed({ method, path: at, query: parameters, body: content }: Asked): {
  address: URL;
  bytes: Uint8Array<ArrayBuffer>;
} {
  const bytes = method === "GET" ? new Uint8Array() : Uint8Array.from(Buffer.from(content));
  const bodyMd5 = bytes.length === 0 ? null : Bun.MD5.hash(bytes, "hex");
  // What is signed is the path as it goes out, which an address may write in another way than it was given.
  const { pathname } = new URL(`${url}/apps/${APP.id}${at}`);
  return { address: new URL(signedUrl(url, APP, method, pathname, { query: parameters, tamper: { bodyMd5 } })), bytes };
}

async function ask(method: string, address: URL, bytes: Uint8Array<ArrayBuffer>) {
  const response = await fetch(address, { method, ...(method !== "GET" && { body: bytes }) });
  const text = await response.text();
  return { status: response.status, text, type: response.headers.get("content-type") };
}

test("a signed call never fails, and is always answered in JSON, which says why where the answer is no", async () => {
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(request, async (asked) => {
      const { address, bytes } = signed(asked);
      if (!address.pathname.startsWith("/apps/")) return;
      const { status, text, type } = await ask(asked.method, address, bytes);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      expect([200, 202, 400, 404, 413]).toContain(status);
      expect(type).toStartWith("application/json");
      const answer = JSON.parse(text) as { error?: unknown; code?: unknown };
      if (status < 400) return;
      expect(answer.error).toBeString();
      expect(answer.code).toBeString();
    }),
    settings(1_500),
  );
  for (const status of [200, 400, 404]) expect(statuses.get(status)).toBeGreaterThan(50);
});

/** Each makes another request of one that was signed. */
const TAMPERINGS: Record<
  string,
  (asked: Asked, address: URL, bytes: Uint8Array<ArrayBuffer>, n: number) => Asked | undefined
> = {
  "with another method": (asked) => ({ ...asked, method: asked.method === "GET" ? "DELETE" : "GET" }),
  "with another path": (asked, address) => {
    address.pathname += "x";
    return asked;
  },
  "with a parameter changed": (asked, address, _, n) => {
    const names = [...address.searchParams.keys()];
    const name = names[n % names.length] ?? "";
    address.searchParams.set(name, `${address.searchParams.get(name)}0`);
    return asked;
  },
  "with a parameter less": (asked, address, _, n) => {
    const names = [...address.searchParams.keys()];
    address.searchParams.delete(names[n % names.length] ?? "");
    return asked;
  },
  "with a parameter more": (asked, address) => {
    address.searchParams.append("zzz", "1");
    return asked;
  },
  "with a parameter given twice": (asked, address, _, n) => {
    const names = [...address.searchParams.keys()];
    address.searchParams.append(names[n % names.length] ?? "", "1");
    return asked;
  },
  "with one bit of its body changed": (asked, _, bytes, n) => {
    if (bytes.length === 0) return undefined;
    bytes[n % bytes.length] = (bytes[n % bytes.length] ?? 0) ^ (1 << (n % 8));
    return asked;
  },
};

test.each(Object.keys(TAMPERINGS))("a signed call %s is 401", async (kind) => {
  let tried = 0;
  await fc.assert(
    fc.asyncProperty(request, fc.nat(), async (asked, n) => {
      const { address, bytes } = signed(asked);
      // What an address leaves of "a/../.." may be no call at all.
      if (!/^\/apps\/app\/./.test(address.pathname)) return;
      const changed = TAMPERINGS[kind]?.(asked, address, bytes, n);
      if (!changed) return;
      tried++;
      const { status, text } = await ask(changed.method, address, bytes);
      expect({ status, code: (JSON.parse(text) as { code: unknown }).code }).toEqual({
        status: 401,
        code: "signature_invalid",
      });
    }),
    settings(150),
  );
  expect(tried).toBeGreaterThan(50);
});
