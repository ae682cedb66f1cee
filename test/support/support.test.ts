/** The tools of the other tests: a tool that cannot fail proves nothing. */

import { expect, test } from "bun:test";
import { atEnd } from "./at-end.ts";
import { openBrowser, openPage } from "./chromium.ts";
import { eventually } from "./eventually.ts";
import { spawnCli } from "./process.ts";
import { channelAuth, connectPusher, sign, signedFetch, signedUrl, trigger, userAuth } from "./pusher-client.ts";
import { APP, socketUrl, startServer } from "./server.ts";
import { connect } from "./socket.ts";
import { startProxy } from "./tcp-proxy.ts";

const server = await startServer();
const browser = await openBrowser();

test("signatures are those of the protocol's test vectors", () => {
  const private_ = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";
  expect(sign(APP.secret, "1234.1234:private-foobar")).toBe(private_);
  expect(channelAuth(APP, "1234.1234", "private-foobar")).toBe(`${APP.key}:${private_}`);
  const presence = "afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c";
  const data = '{"user_id":10,"user_info":{"name":"Mr. Pusher"}}';
  expect(channelAuth(APP, "1234.1234", "presence-foobar", data)).toBe(`${APP.key}:${presence}`);
  const user = "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba";
  expect(userAuth(APP, "1234.1234", '{"id":"12345"}')).toBe(`${APP.key}:${user}`);
});

test("a signed address is the one of the protocol's test vector", () => {
  const body = '{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}';
  const options = { body, tamper: { timestamp: 1353088179 } };
  const url = new URL(signedUrl("http://x", { ...APP, id: "3" }, "POST", "/events", options));
  expect(url.pathname).toBe("/apps/3/events");
  expect(url.searchParams.get("body_md5")).toBe("ec365a775a4cd0599faeb73354201b6f");
  const signature = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c";
  expect(url.searchParams.get("auth_signature")).toBe(signature);
});

test("a client subscribes, hears what is triggered, and shows its frames when it waits in vain", async () => {
  const client = await connectPusher(server.url);
  await client.subscribe("presence-room", { data: { user_id: "1", user_info: { name: "Ada" } } });
  await trigger(server.url, APP, { name: "greeting", channel: "presence-room", data: "hello" });
  expect((await client.nextIn("presence-room")).data).toBe("hello");
  await client.ping();
  await client.silence(20);
  await expect(client.next("never", 20)).rejects.toThrow(/Waited 20 ms for "never"[\s\S]*"greeting"/);
  expect((await client.close()).code).toBe(1000);
});

test("silence is not silent about a frame", async () => {
  const client = await connectPusher(server.url);
  client.send("pusher:ping", {});
  await expect(client.silence(100)).rejects.toThrow(/pusher:pong/);
});

test("waiting ends at once when the socket closes, and says with what", async () => {
  const client = await connect(socketUrl(server.url, "/app/no-such-key?protocol=7"));
  await expect(client.next("never")).rejects.toThrow(/Closed with 4001/);
  expect((await client.closed).code).toBe(4001);
});

test("a refused handshake rejects", async () => {
  await expect(connect("ws://127.0.0.1:1/")).rejects.toThrow();
});

test("a tampered call is sent as it was tampered with", async () => {
  const call = { body: { name: "e", channel: "c", data: "d" } };
  const status = async (tamper: object) =>
    (await signedFetch(server.url, APP, "POST", "/events", { ...call, tamper })).status;
  expect(await status({})).toBe(200);
  expect(await status({ timestamp: 1 })).toBe(401);
  expect(await status({ signature: "0".repeat(64) })).toBe(401);
  expect(await status({ bodyMd5: null })).toBe(401);
  expect(await status({ secret: "other" })).toBe(401);
});

test("eventually gives up with the last error", async () => {
  let tries = 0;
  const failing = () => {
    throw new Error(`try ${++tries}`);
  };
  await expect(eventually(failing, { withinMs: 30 })).rejects.toThrow(/try \d/);
});

test("a child process can be waited for, and its whole group killed", async () => {
  const child = spawnCli(["-c", "echo ready; sleep 60 & wait"], { program: ["bash"] });
  await child.prints(/ready/);
  expect(await child.kill()).toEqual({ code: null, signal: "SIGKILL" });
  const brief = spawnCli(["-c", "echo one >&2; exit 3"], { program: ["bash"] });
  expect(await brief.ended()).toEqual({ code: 3, signal: null });
  expect(brief.stderr).toBe("one\n");
  await expect(brief.prints(/two/)).rejects.toThrow(/It printed:\none/);
});

test("a browser opens a page and reports its errors", async () => {
  const { page, errors } = await openPage(
    browser,
    "data:text/html,<title>Hi</title><script>throw new Error('on purpose')</script>",
  );
  expect(await page.title()).toBe("Hi");
  expect(errors).toEqual(["Error: on purpose"]);
});

test("a line that becomes faster keeps the order of what it carries", async () => {
  const echo = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket, data) => void socket.write(data) },
  });
  atEnd(() => echo.stop(true));
  const proxy = await startProxy(echo.port);
  let heard = "";
  const client = await Bun.connect({
    ...{ hostname: "127.0.0.1", port: proxy.port },
    socket: {
      data(_, data) {
        heard += data.toString();
      },
    },
  });
  atEnd(() => client.end());
  let said = "";
  for (const [at, delayMs] of [40, 20, 5, 0.5, 0, 9, 3].entries()) {
    proxy.slow(delayMs);
    client.write(`${at},`);
    said += `${at},`;
    // Each has to be a chunk of its own.
    await Bun.sleep(2);
  }
  await eventually(() => expect(heard).toBe(said));
});
