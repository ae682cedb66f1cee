/** What strangers write never becomes a line or a colour of the log, and what is secret never becomes a word of it. Scenario 71. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { connectNative, dialNative, makeToken } from "../support/native-client.ts";
import { type CliProcess, spawnCli } from "../support/process.ts";
import { channelAuth, connectPusher, dialPusher, signedFetch, signedUrl, userAuth } from "../support/pusher-client.ts";
import { connectRaw } from "../support/raw-socket.ts";
import { APP } from "../support/server.ts";

const FORGED = "FORGED-LINE";
const HIDDEN = "PAYLOAD-NOBODY-MAY-READ";
const SHOWN = "PAYLOAD-FOR-WHO-DEBUGS";
/** What a program may well send: its secrets have names, or look like what they are, at whatever depth. */
const PAYLOAD = {
  note: SHOWN,
  password: HIDDEN,
  nested: [{ "X-Api-Key": HIDDEN, text: JSON.stringify({ author: SHOWN, accessToken: { value: HIDDEN } }) }],
  link: `https://a.example/?token=${HIDDEN}`,
  header: `Bearer ${HIDDEN}`,
  note2: `eyJhbGciOiJIUzI1NiJ9.${HIDDEN}.x`,
};
const MEMBER = "MEMBER-INFO-NOBODY-MAY-READ";
const SECOND = "SECOND-SECRET-OF-THE-APP";
const ISSUERS = "TOKEN-SECRET-OF-THE-ISSUER-WHICH-IS-LONG";
const ISSUED = {
  id: "issued",
  key: "issued-key",
  secrets: ["SECRET-OF-THE-OTHER-APP", SECOND],
  token: { secret: ISSUERS },
};

const NASTY = [
  `\n{"level":30,"time":1,"msg":"${FORGED}"}`,
  `\r\n${FORGED}`,
  `\u001b[31m${FORGED}\u001b[2J`,
  `\u001b]0;${FORGED}\u0007`,
  `\u0000\u0008${FORGED}`,
  `\u009b31m${FORGED}`,
  `\u007f${FORGED}`,
];

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/;

test.each(["json", "pretty"] as const)(
  "no stranger writes into a log that is %s, and no secret comes out of it (scenario 71)",
  async (format) => {
    const log = { level: "trace", format };
    const limits = { clientEventsPerSecond: 1_000_000 };
    const settings = {
      log,
      drainTimeoutS: 1,
      apps: [{ ...APP, anonymous: true, subscriptionCounts: true, limits }, ISSUED],
    };
    const program = [process.execPath, join(import.meta.dir, "logging-server.ts")] as const;
    const child = spawnCli([], { program, env: { SETTINGS: JSON.stringify(settings), NO_COLOR: "1" } });
    const [, url = ""] = await child.prints(/(http:\/\/127\.0\.0\.1:\d+)/);

    const signatures = [...(await behave(url)), ...(await misbehave(url))];
    const isComplete = () => expect(child.output.split("something went wrong")).toHaveLength(NASTY.length + 1);
    await eventually(isComplete);
    await child.stop();

    const output = child.output;
    // Proof that there was something to leak into: each of these logs at debug or below.
    for (const word of [
      "connected",
      "disconnected",
      "subscribed",
      "refused",
      "rejected",
      "published",
      "presence-room",
      "received",
      "sent",
      "a call of the HTTP API was refused",
      SHOWN,
    ]) {
      expect(output).toContain(word);
    }
    expect(CONTROL.exec(output)?.[0]).toBeUndefined();
    for (const secret of [APP.secret, ...ISSUED.secrets, ISSUERS, HIDDEN, MEMBER, ...signatures]) {
      expect(output).not.toContain(secret);
    }
    expectNoForgery(child, format);
  },
  20_000,
);

function expectNoForgery(child: CliProcess, format: "json" | "pretty"): void {
  for (const line of child.output.split("\n").filter((text) => text !== "")) {
    if (format === "json") expect((JSON.parse(line) as { msg: string }).msg).not.toContain(FORGED);
    // A stack has several lines, but each of them is indented below the line it belongs to.
    else expect(line).toMatch(/^(\[\d\d:\d\d:\d\d\] [A-Z]+|\s+\S)/);
  }
}

/** Does everything that carries a secret, and answers with the signatures and tokens it used. */
async function behave(url: string): Promise<string[]> {
  const token = await makeToken({ sub: "7", info: MEMBER, channels: ["presence-*"] }, ISSUERS);
  const [pusher, native] = [await connectPusher(url), await connectNative(url, { app: ISSUED.key, token })];
  const later = await makeToken({ sub: "7", info: MEMBER }, ISSUERS);
  await native.ask("authenticate", { token: later });
  await native.ask("subscribe", { channel: "presence-room" });
  const data = JSON.stringify({ user_id: "8", user_info: MEMBER });
  await pusher.subscribe("presence-room", { data });
  await pusher.subscribe("counted");
  const user = JSON.stringify({ id: "8", user_info: { secret: MEMBER }, watchlist: ["9"] });
  await pusher.signin(user);
  pusher.send("client-x", PAYLOAD, "presence-room");
  const event = { name: "x", channel: "presence-room", data: PAYLOAD };
  await signedFetch(url, APP, "POST", "/events", { body: event });
  await pusher.next("x");
  const bearer = await makeToken({ sub: "9" }, ISSUERS);
  await (await dialNative(url, { app: ISSUED.key, headers: { Authorization: `Bearer ${bearer}` } })).next("welcome");
  const address = new URL(signedUrl(url, APP, "POST", "/events", { body: event }));
  return [
    token,
    later,
    bearer,
    channelAuth(APP, pusher.socketId, "presence-room", data),
    userAuth(APP, pusher.socketId, user),
    address.searchParams.get("auth_signature") ?? "",
  ];
}

/** Puts control characters wherever a stranger can. */
async function misbehave(url: string): Promise<string[]> {
  const tokens: string[] = [];
  const [pusher, native] = [await connectPusher(url), await connectNative(url)];
  for (const nasty of NASTY) {
    pusher.sendSubscribe(nasty);
    pusher.sendSubscribe(`private-${nasty}`);
    pusher.send(`client-${nasty}`, PAYLOAD, nasty);
    pusher.send(nasty, PAYLOAD);
    pusher.unsubscribe(nasty);
    await pusher.signin({ id: nasty, user_info: MEMBER });
    pusher.sendSubscribe("presence-nasty", { data: { user_id: nasty, user_info: nasty } });
    await native.ask("subscribe", { channel: nasty });
    await native.ask(nasty, PAYLOAD);
    await native.ask("publish", { channel: nasty, event: nasty, data: PAYLOAD });
    await native.ask("fail", nasty);
    const token = await makeToken({ sub: nasty });
    tokens.push(token);
    await native.ask("authenticate", { token });
    await (await dialNative(url, { app: nasty })).closed;
    await (await dialNative(url, { token: nasty })).closed;
    await (await dialNative(url, { path: `/app/${encodeURIComponent(nasty)}` })).closed;
    await (await dialPusher(url, { query: `version=${encodeURIComponent(nasty)}` })).closed;
    await signedFetch(url, APP, "POST", "/events", { body: { name: nasty, channel: nasty, data: PAYLOAD } });
    await signedFetch(url, APP, "GET", `/channels/${encodeURIComponent(nasty)}`);
    await signedFetch(url, APP, "GET", `/${encodeURIComponent(nasty)}`);
    const raw = await connectRaw(url);
    raw.write(`GET /${nasty} HTTP/1.1\r\nHost: ${nasty}\r\n\r\n`);
    await raw.until(() => raw.text !== "" || raw.isClosed, "an answer");
  }
  await pusher.ping();
  return tokens;
}
