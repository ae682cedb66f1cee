/** The HTTP API while the engine is away: 503 with a time to come back, never a 200 for what is lost. */

import { expect, test } from "bun:test";
import { pusherApi } from "../../packages/server/src/protocols/pusher/api.ts";
import { AWAY, type LateBench, lateBench, settled } from "../support/fakes.ts";
import { signedUrl } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";

function call({ hub, app, clock }: LateBench, method: string, path: string, body?: string): Promise<Response> {
  const api = pusherApi({
    hub,
    clock,
    apps: { byId: (id) => (id === app.id ? app : undefined), byKey: () => app },
    pathPrefix: "",
    signatureWindowS: 600,
    bodyBytes: 1_048_576,
    jsonDepth: 32,
  });
  const timestamp = Math.floor(clock.wallMs() / 1000);
  const url = signedUrl("http://host", APP, method, path, { ...(body && { body }), tamper: { timestamp } });
  const request = new Request(url, { method, ...(body && { body }) });
  const answer = api({ request, url: new URL(url), from: () => "unknown" });
  if (!answer) throw new Error(`${path} is not of the API`);
  return answer;
}

test("a trigger that the engine does not take is answered 503 with Retry-After, and nobody hears it", async () => {
  const late = await lateBench();
  const client = late.open();
  client.subscribe("room");
  await settled();
  late.engine.hold("publish");
  const answer = call(late, "POST", "/events", '{"name":"e","channel":"room","data":"lost"}');
  await settled();
  await late.engine.fail("publish", AWAY);
  const { status, headers } = await answer;
  expect(status).toBe(503);
  expect(Number(headers.get("Retry-After"))).toBeGreaterThan(0);
  expect(client.types).toEqual(["subscribed"]);
  const again = await call(late, "POST", "/events", '{"name":"e","channel":"room","data":"heard"}');
  expect(again.status).toBe(200);
  await settled();
  expect(client.seen.at(-1)).toMatchObject({ type: "event", data: "heard" });
});

test("a trigger is not answered before the engine has it", async () => {
  const late = await lateBench();
  late.engine.hold("publish");
  let answered = false;
  const answer = call(late, "POST", "/events", '{"name":"e","channel":"room","data":"x"}').then((response) => {
    answered = true;
    return response;
  });
  await settled();
  expect(late.engine.held("publish")).toBe(1);
  expect(answered).toBe(false);
  await late.engine.release("publish");
  expect((await answer).status).toBe(200);
});

test.each([
  ["/channels", "channels"],
  ["/channels/room", "summary"],
  ["/channels/presence-x/users", "members"],
] as const)("GET %s is answered 503 with Retry-After when the registry does not answer", async (path, operation) => {
  const late = await lateBench();
  late.engine.hold(operation);
  const answer = call(late, "GET", path);
  await settled();
  await late.engine.fail(operation, AWAY);
  const { status, headers } = await answer;
  expect(status).toBe(503);
  expect(headers.get("Retry-After")).toBe("1");
});
