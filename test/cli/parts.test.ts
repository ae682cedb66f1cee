/** The parts of the command line that need no server. */

import { describe, expect, test } from "bun:test";
import { asJson, asText } from "../../packages/server/src/cli/commands/listen.ts";
import { serverUrl } from "../../packages/server/src/cli/http.ts";
import { brokenJson } from "../../packages/server/src/cli/json.ts";
import { signedQuery } from "../../packages/server/src/cli/target.ts";

const key = "278d425bdf160c739803";
const secret = "7ad3773142a6692b25b8";

describe("signatures", () => {
  test("of an API call are those of the Pusher protocol's test vector", () => {
    const body = '{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}';
    const call = { method: "POST", path: "/apps/3/events", body, key, secret, timestampS: 1_353_088_179 } as const;
    expect(signedQuery(call)).toBe(
      `auth_key=${key}&auth_timestamp=1353088179&auth_version=1.0&body_md5=ec365a775a4cd0599faeb73354201b6f` +
        "&auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c",
    );
  });
});

describe("the data of an event", () => {
  test.each(['{"a":1}', "[1]", "12", '"x"', "hello there", "it's {fine}", ""])("%j is sent as it is", (text) => {
    expect(brokenJson(text)).toBeUndefined();
  });

  test.each(['{"a":', "{a:1}", " [1,", "{"])("%j is refused, for it was meant to be JSON", (text) => {
    expect(brokenJson(text)).toStartWith("the data looks like JSON but does not parse");
  });
});

describe("a line of fanfare listen", () => {
  const at = new Date(2030, 0, 2, 3, 4, 5, 6);
  const arrived = { channel: "presence-a", event: "client-x", data: '{"n":12345678901234567890}', userId: "u1" };

  test("shows time, channel, event, sender and the data as it came", () => {
    expect(asText(arrived, at)).toBe('03:04:05.006  presence-a  client-x  from u1  {"n":12345678901234567890}');
  });

  test("stays one line", () => {
    expect(asText({ channel: "c", event: "e", data: '{\n  "a": 1\n}' }, at)).toBe('03:04:05.006  c  e  {"a":1}');
    const exact = { channel: "c", event: "e", data: '{\n "a \\" b": 12345678901234567890 }' };
    expect(asText(exact, at)).toBe('03:04:05.006  c  e  {"a \\" b":12345678901234567890}');
    expect(asText({ channel: "c", event: "e", data: "a\nb" }, at)).toBe("03:04:05.006  c  e  a\\u000ab");
  });

  test("cannot move the cursor of the terminal", () => {
    expect(asText({ channel: "c", event: "e", data: "\u001b[2J\u009b1m" }, at)).toBe(
      "03:04:05.006  c  e  \\u001b[2J\\u009b1m",
    );
  });

  test("is an object with --json", () => {
    expect(JSON.parse(asJson({ ...arrived, data: '{"a":1}' }, at))).toEqual({
      time: at.toISOString(),
      channel: "presence-a",
      event: "client-x",
      data: { a: 1 },
      user_id: "u1",
    });
    expect(asJson({ ...arrived, data: '{"n":\n1.0}' }, at)).toEndWith('"data":{"n": 1.0},"user_id":"u1"}');
    expect(JSON.parse(asJson({ channel: "c", event: "e", data: "plain" }, at))).toMatchObject({ data: "plain" });
  });
});

describe("a server's address", () => {
  test.each([
    ["ws://a:1/", "http://a:1"],
    ["wss://a/ws/", "https://a/ws"],
    ["http://a:80", "http://a"],
  ])("%s means %s", (written, meant) => {
    expect(serverUrl(written)).toBe(meant);
  });

  test.each(["localhost:9501", "a", "ftp://a", ""])("%j is refused", (written) => {
    expect(() => serverUrl(written)).toThrow("--url has to start with http://, https://, ws:// or wss://");
  });
});
