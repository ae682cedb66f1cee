/** Signing in and out while the engine cannot be asked: whoever looks after a server has to get in then, and nobody else. */

import { expect, test } from "bun:test";
import type { Overview } from "../../packages/server/src/admin/api-types.ts";
import { Sessions, TokenSigner } from "../../packages/server/src/admin/sessions.ts";
import { LoginThrottle } from "../../packages/server/src/admin/sign-in.ts";
import { CommandError } from "../../packages/server/src/domain/error.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { startRedis } from "../support/redis.ts";
import { startServer } from "../support/server.ts";
import { PASSWORDS, SIGNED, signedIn, Visitor } from "./visitor.ts";

const away = async (): Promise<never> => {
  throw new CommandError("engine_unavailable", "It is away.");
};

test("wrong attempts are counted by the node itself, by address or network, and right ones are not", async () => {
  const attempts = new LoginThrottle({ setIfAbsent: away, exists: away, delete: away });
  const wrong = async () => undefined;
  for (let time = 0; time < 12; time++)
    expect(await attempts.attempt("203.0.113.1", "ada", async () => "in")).toBe("in");
  for (let n = 0; n < 10; n++) {
    expect(await attempts.attempt(`2001:db8::${n.toString(16)}`, undefined, wrong)).toBeUndefined();
  }
  await expect(attempts.attempt("2001:db8::ffff", undefined, wrong)).rejects.toMatchObject({
    code: "too_many_attempts",
  });
  expect(await attempts.attempt("2001:db8:0:1::1", undefined, wrong)).toBeUndefined();
  expect(await attempts.attempt("::ffff:203.0.113.9", undefined, wrong)).toBeUndefined();
});

test("a session that ended here stays ended here, and its time runs out", async () => {
  let nowMs = 1_000_000;
  const failures: string[] = [];
  const sessions = new Sessions({
    signer: new TokenSigner(() => new Uint8Array(32)),
    clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
    ledger: { setIfAbsent: away, exists: away, delete: away },
    authorize: () => undefined,
    lifeMs: 60_000,
    failed: (_, during) => void failures.push(during),
  });
  const person = sessions.start({ name: "ada", role: "view" });
  const asked = () =>
    new Request("http://a/", { headers: { cookie: sessions.cookie(person, false).split(";")[0] ?? "" } });
  expect(await sessions.find(asked())).toEqual(person);
  const { ticket } = sessions.ticket(person);
  expect(await sessions.redeem(ticket)).toMatchObject({ name: "ada", role: "view" });
  const later = asked();
  nowMs += 60_001;
  expect(await sessions.find(later)).toBeUndefined();
  expect(await sessions.redeem(ticket)).toBeUndefined();
  nowMs -= 60_001;
  await sessions.end(person);
  expect(await sessions.find(asked())).toBeUndefined();
  expect(await sessions.redeem(ticket)).toBeUndefined();
  expect(failures).toHaveLength(1);
});

test("with a Redis that died one can sign in, see that it is gone, and is told what cannot be done", async () => {
  const redis = await startRedis();
  const { url } = await startServer({
    ...SIGNED,
    engine: "redis",
    redis: { port: redis.port, commandTimeoutS: 0.3 },
    publishWaitS: 0.3,
  });
  await signedIn(url, "vera");
  const client = await connectNative(url);
  await redis.kill();
  const otto = new Visitor(`${url}/dashboard`);
  expect((await otto.signIn("otto", PASSWORDS.otto)).status).toBe(200);
  const sent = await otto.post("api/apps/app/events", { channel: "news", event: "x", data: "1" });
  expect([sent.status, sent.body]).toMatchObject([503, { error: { code: "unavailable" } }]);
  expect((await otto.ask("api/apps/app/connections")).status).toBe(200);
  const far = await otto.post("api/apps/app/kick", { channel: "news", user: "ada" });
  expect([far.status, far.body]).toMatchObject([503, { error: { code: "unavailable" } }]);
  const near = await otto.post(`api/apps/app/connections/${client.id}/disconnect`);
  expect([near.status, near.body]).toEqual([200, { outcome: "done", connections: 1, nodesMissing: 0 }]);
  expect(await client.next("closing")).toMatchObject({ code: "terminated" });
  await eventually(async () => {
    const overview = await otto.ask<Overview>("api/overview");
    expect([overview.status, overview.body.engine.reachable]).toEqual([200, false]);
  });
}, 30_000);
