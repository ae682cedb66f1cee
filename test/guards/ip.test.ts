/** Addresses, ranges of them, and who is kept out by them. S29. */

import { describe, expect, test } from "bun:test";
import { addressTest, parseAddress } from "../../packages/server/src/guards/ip.ts";
import { type ConfigInput, createServer } from "../../packages/server/src/index.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { knock, statusOf } from "./knock.ts";

const RANGES: readonly (readonly [range: string, inside: readonly string[], outside: readonly string[]])[] = [
  ["192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7", "::ffff:c000:207"], ["192.0.2.8", "2001:db8::c000:207"]],
  ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"], ["11.0.0.0", "9.255.255.255", "::a00:0"]],
  ["192.0.2.128/25", ["192.0.2.128", "192.0.2.255"], ["192.0.2.127"]],
  ["0.0.0.0/0", ["1.2.3.4", "::ffff:1.2.3.4"], ["::1", "2001:db8::1"]],
  ["::/0", ["::1", "2001:db8::1"], ["1.2.3.4", "::ffff:1.2.3.4"]],
  ["2001:db8::/32", ["2001:db8::1", "2001:0DB8:ffff::"], ["2001:db9::", "1.2.3.4"]],
  ["2001:db8::1", ["2001:db8:0:0::1"], ["2001:db8::2"]],
  ["::ffff:10.0.0.0/104", ["10.1.2.3", "::ffff:10.1.2.3"], ["11.0.0.1"]],
  ["::ffff:192.0.2.7", ["192.0.2.7"], ["192.0.2.8"]],
  ["loopback", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"], ["128.0.0.1", "::2", "10.0.0.1"]],
  [
    "private",
    ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1", "fd00::1", "fe80::1%eth0"],
    ["172.32.0.1", "172.15.255.255", "192.169.0.1", "127.0.0.1", "2001:db8::1", "::1"],
  ],
];

describe.each(RANGES)("the range %s", (range, inside, outside) => {
  test("has the addresses it should and no others", () => {
    const has = (text: string) => {
      const address = parseAddress(text);
      if (address === undefined) throw new Error(`${text} is no address`);
      return addressTest([range])(address);
    };
    expect(inside.filter((text) => !has(text))).toEqual([]);
    expect(outside.filter((text) => has(text))).toEqual([]);
  });

  test("may be configured", () => {
    const lists = { allowIps: [range], denyIps: [range], trustedProxies: [range] };
    expect(createServer({ apps: [APP], ...lists }).config).toMatchObject(lists);
  });
});

test.each(["", "unknown", "localhost", "1", "127.1", "0x7f.0.0.1", "010.0.0.1", "1.2.3.4:80", "[::1]", "1.2.3", ":::"])(
  "%j is no address",
  (text) => {
    expect(parseAddress(text)).toBeUndefined();
  },
);

test.each(["", "localhost", "10.0.0.0/33", "10.0.0.0/", "10/8", "010.0.0.1", "::/129", "fe80::1%eth0", "fe80::%e/10"])(
  "the configuration refuses %j as an address, and says what it takes",
  (text) => {
    for (const key of ["allowIps", "denyIps", "trustedProxies"] as const) {
      expect(() => createServer({ [key]: ["::1", text] })).toThrow(`\`${key}[1]\` has to be an IP address, a range`);
    }
  },
);

/** What a handshake, an API path and the health check are answered, from one address of this machine. */
async function statuses(url: string, from: string): Promise<readonly number[]> {
  const paths = ["/health", `/apps/${APP.id}/channels`, "/nothing"];
  const { status } = await knock(url, { from });
  return [status, ...(await Promise.all(paths.map((path) => statusOf(url, path, { from }))))];
}

const WELCOME = [101, 200, 401, 404];
const FORBIDDEN = [403, 403, 403, 403];

describe("with lists of addresses", () => {
  const cases: readonly (readonly [string, ConfigInput, readonly number[], readonly number[]])[] = [
    ["none", {}, WELCOME, WELCOME],
    ["one that may come", { allowIps: ["127.0.0.2"] }, FORBIDDEN, WELCOME],
    ["one that may not", { denyIps: ["127.0.0.2/32"] }, WELCOME, FORBIDDEN],
    ["a range and an exception", { allowIps: ["loopback"], denyIps: ["127.0.0.1"] }, FORBIDDEN, WELCOME],
    ["IPv6 only", { allowIps: ["::/0"] }, FORBIDDEN, FORBIDDEN],
  ];

  test.each(cases)("(%s) handshakes and HTTP are answered alike (S29)", async (_, lists, first, second) => {
    const { url } = await startServer({ ...lists });
    expect(await statuses(url, "127.0.0.1")).toEqual([...first]);
    expect(await statuses(url, "127.0.0.2")).toEqual([...second]);
  });

  test("an IPv4 client of a server that listens on :: is known by its IPv4 address", async () => {
    const server = await startServer({ host: "::", denyIps: ["127.0.0.2"] });
    const url = `http://127.0.0.1:${server.port}`;
    expect(await statuses(url, "127.0.0.1")).toEqual(WELCOME);
    expect(await statuses(url, "127.0.0.2")).toEqual(FORBIDDEN);
  });

  test("a refusal says so in words, and a signature does not help", async () => {
    const { url } = await startServer({ denyIps: ["loopback"] });
    const response = await signedFetch(url, APP, "GET", "/channels");
    expect(response.status).toBe(403);
    expect(await response.json()).toEqual({
      error: "Your address may not use this server (denyIps).",
      code: "forbidden",
    });
  });

  test("of an address that no list has names the list that it misses", async () => {
    const { url } = await startServer({ allowIps: ["192.0.2.1"] });
    const response = await signedFetch(url, APP, "GET", "/channels");
    expect(await response.json()).toMatchObject({ error: "Your address may not use this server (allowIps)." });
  });

  test("behind a trusted proxy the client's address counts, not the proxy's", async () => {
    const { url } = await startServer({ trustedProxies: ["loopback"], denyIps: ["203.0.113.0/24", "2001:db8::/32"] });
    const answers = await Promise.all(
      ["203.0.113.9", "198.51.100.1", "2001:db8::1", "::ffff:203.0.113.9", "198.51.100.1, 203.0.113.9"].map(
        async (forwardedFor) => [
          (await knock(url, { forwardedFor })).status,
          await statusOf(url, "/health", { forwardedFor }),
        ],
      ),
    );
    expect(answers).toEqual([
      [403, 403],
      [101, 200],
      [403, 403],
      [403, 403],
      [403, 403],
    ]);
  });

  test("nobody talks himself out of a list when no proxy is trusted", async () => {
    const { url } = await startServer({ denyIps: ["127.0.0.1"] });
    expect((await knock(url, { forwardedFor: "198.51.100.1" })).status).toBe(403);
    expect(await statusOf(url, "/health", { forwardedFor: "198.51.100.1" })).toBe(403);
  });
});
