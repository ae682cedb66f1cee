/** Whose address a connection has, and whether it came over TLS: what a proxy says counts only where it is trusted. Scenario 62. */

import { describe, expect, test } from "bun:test";
import type { Server } from "../../packages/server/src/index.ts";
import { OPCODE } from "../support/raw-socket.ts";
import { APP, startServer } from "../support/server.ts";
import { knock, PUSHER_PATH } from "./knock.ts";

/** The address that the server keeps of a connection with this header. */
function addressOf(server: Server, forwardedFor?: string, from = "127.0.0.1"): Promise<string | undefined> {
  return addressWith(server, forwardedFor === undefined ? {} : { "X-Forwarded-For": forwardedFor }, from);
}

async function addressWith(server: Server, headers: Record<string, string>, from = "127.0.0.1") {
  const { socket } = await knock(server.url, { from, headers });
  const { payload } = await socket.next(OPCODE.text);
  const { socket_id: id } = JSON.parse(JSON.parse(payload.toString()).data) as { socket_id: string };
  return server.app().connections.get(id)?.address;
}

const CHAIN = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"];

const HOPS: readonly (readonly [what: string, header: string | undefined, address: string])[] = [
  ["one client", "203.0.113.9", "203.0.113.9"],
  ["an IPv6 client", "2001:DB8:0:0::1", "2001:db8::1"],
  ["an IPv4 client in IPv6 form", "::ffff:203.0.113.9", "203.0.113.9"],
  ["a client with a port", "203.0.113.9:4711", "203.0.113.9"],
  ["an IPv6 client in brackets", "[2001:db8::1]", "2001:db8::1"],
  ["an IPv6 client in brackets with a port", "[2001:db8::1]:4711", "2001:db8::1"],
  ["trusted proxies behind the client", "203.0.113.9, 10.0.0.2,fd00::3 , 10.0.0.4", "203.0.113.9"],
  ["a client that names another in front", "198.51.100.1, 203.0.113.9", "203.0.113.9"],
  ["a client that names a trusted proxy in front", "10.0.0.2, 203.0.113.9", "203.0.113.9"],
  ["a client that hides behind a made-up proxy", "198.51.100.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"],
  ["a client that names rubbish in front", "<script>, , 203.0.113.9", "203.0.113.9"],
  ["trusted proxies only", "10.0.0.9, 10.0.0.2", "10.0.0.9"],
  ["nobody", undefined, "127.0.0.1"],
  ["an empty header", "", "127.0.0.1"],
  ["no address", "unknown", "127.0.0.1"],
  ["a name", "localhost", "127.0.0.1"],
  ["a number", "3405803785", "127.0.0.1"],
  ["an address that some read as another", "0313.0.0161.011", "127.0.0.1"],
  ["a hole in the chain", "203.0.113.9, , 10.0.0.2", "127.0.0.1"],
  ["rubbish behind the client", "203.0.113.9, x", "127.0.0.1"],
  ["the form of another header", 'for="203.0.113.9"', "127.0.0.1"],
  ["a port that is none", "203.0.113.9:port", "127.0.0.1"],
];

describe("of a trusted proxy's connection,", async () => {
  const server = await startServer({ trustedProxies: CHAIN });

  test.each(HOPS)("X-Forwarded-For with %s (%j) gives %s", async (_, header, address) => {
    expect(await addressOf(server, header)).toBe(address);
  });

  test("the header may come in several pieces", async () => {
    const pieces = "203.0.113.9\r\nX-Forwarded-For: 198.51.100.1\r\nx-forwarded-for: 10.0.0.2";
    expect(await addressOf(server, pieces)).toBe("198.51.100.1");
  });

  test("anybody else is who the socket says, whatever the header says (scenario 62)", async () => {
    expect(await addressOf(server, "203.0.113.9", "127.0.0.2")).toBe("127.0.0.2");
    expect(await addressOf(server, "203.0.113.9, 127.0.0.1", "127.0.0.2")).toBe("127.0.0.2");
  });

  test.each([
    ["Forwarded", "for=203.0.113.9"],
    ["X-Real-IP", "203.0.113.9"],
    ["CF-Connecting-IP", "203.0.113.9"],
    ["X-Forwarded", "203.0.113.9"],
  ])("the header %s is not read", async (name, value) => {
    expect(await addressWith(server, { [name]: value })).toBe("127.0.0.1");
  });
});

test.each([
  [["loopback"], "192.168.0.1"],
  [["private"], "127.0.0.1"],
  [["private", "loopback"], "203.0.113.9"],
  [[], "127.0.0.1"],
])("with trustedProxies %j, the client of a chain over 192.168.0.1 is %s", async (trustedProxies, address) => {
  const server = await startServer({ trustedProxies });
  expect(await addressOf(server, "203.0.113.9, 192.168.0.1")).toBe(address);
});

describe("requireTls", () => {
  /** The code that the connection is closed with; undefined where it is welcomed. */
  async function refusal(server: Server, proto: string | undefined, from = "127.0.0.1"): Promise<number | undefined> {
    const headers = proto === undefined ? {} : { "X-Forwarded-Proto": proto };
    const { socket } = await knock(server.url, { from, path: PUSHER_PATH, headers });
    const { payload } = await socket.next(OPCODE.text);
    return JSON.parse(payload.toString()).event === "pusher:error" ? socket.ending() : undefined;
  }

  test("believes X-Forwarded-Proto of trusted proxies only, where some are named", async () => {
    const server = await startServer({ trustedProxies: ["127.0.0.1"] }, { requireTls: true });
    expect(await refusal(server, "https")).toBeUndefined();
    expect(await refusal(server, "WSS")).toBeUndefined();
    expect(await refusal(server, "http")).toBe(4000);
    expect(await refusal(server, undefined)).toBe(4000);
    expect(await refusal(server, "https", "127.0.0.2")).toBe(4000);
  });

  test("believes anybody's where no proxy is named", async () => {
    const server = await startServer({ apps: [{ ...APP, requireTls: true }] });
    expect(await refusal(server, "https", "127.0.0.2")).toBeUndefined();
    expect(await refusal(server, undefined)).toBe(4000);
  });
});
