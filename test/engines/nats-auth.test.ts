/** NATS behind TLS, NKeys and JWTs. */

import { expect, test } from "bun:test";
import { nkeys } from "@nats-io/transport-node";
import type { NatsSettings } from "../../packages/nats/src/settings.ts";
import { Authority } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { startNats } from "../support/nats.ts";
import { Operator } from "../support/nats-credentials.ts";
import { natsSettingsFor, startNatsNode } from "../support/nats-node.ts";

const KEEP = { size: 10, ttlMs: 60_000 };

async function expectWorking(settings: NatsSettings): Promise<void> {
  const node = await startNatsNode(settings);
  expect(node.engine.health()).toEqual({ reachable: true });
  await node.subscribe("room");
  await node.publish("room", "kept", KEEP);
  await node.publish("room", "plain");
  await eventually(() => expect(node.heard("room")).toEqual(["kept", "plain"]));
  expect(await node.join("presence-x", "1")).toMatchObject({ isFirst: true });
}

test("a certificate is checked, and what goes over TLS arrives", async () => {
  const authority = new Authority();
  const { certFile, keyFile } = authority.issue("nats");
  const server = await startNats({ more: `tls { cert_file: "${certFile}", key_file: "${keyFile}" }` });
  const at = [{ address: `tls://localhost:${server.port}` }];
  await expectWorking(natsSettingsFor(at, { tls: { ca: authority.root } }));
  const stranger = await startNatsNode(natsSettingsFor(at, { tls: {} }));
  expect(stranger.engine.health()).toMatchObject({ reachable: false, why: expect.stringMatching(/certificate/i) });
});

test("a certificate for another name is refused", async () => {
  const authority = new Authority();
  const { certFile, keyFile } = authority.issue("elsewhere", { names: "DNS:elsewhere.example" });
  const server = await startNats({ more: `tls { cert_file: "${certFile}", key_file: "${keyFile}" }` });
  const settings = natsSettingsFor([{ address: `tls://localhost:${server.port}` }], { tls: { ca: authority.root } });
  const node = await startNatsNode(settings);
  expect(node.engine.health()).toMatchObject({ reachable: false });
});

test("an NKey signs in, another does not, and no seed is in a message", async () => {
  const [user, stranger] = [nkeys.createUser(), nkeys.createUser()];
  const seedOf = (key: typeof user) => new TextDecoder().decode(key.getSeed());
  const server = await startNats({ more: `authorization { users: [{ nkey: ${user.getPublicKey()} }] }` });
  await expectWorking(natsSettingsFor([server], { credentials: { type: "nkey", seed: seedOf(user) } }));
  const outside = await startNatsNode(
    natsSettingsFor([server], { credentials: { type: "nkey", seed: seedOf(stranger) } }),
  );
  expect(outside.engine.health()).toMatchObject({ reachable: false, why: expect.stringMatching(/authorization/i) });
  expect(JSON.stringify([outside.engine.health(), outside.failures])).not.toContain(seedOf(stranger));
});

test("the credentials file of an account's user signs in, whatever its line ends", async () => {
  const operator = new Operator();
  const server = await startNats({ more: operator.settings });
  for (const edit of [(text: string) => text, (text: string) => text.trimEnd().replaceAll("\n", "\r\n")]) {
    const creds = edit(operator.account.user().text);
    await expectWorking(natsSettingsFor([server], { credentials: { type: "creds", creds } }));
  }
});

test("credentials that do not suffice are refused with the reason, and no seed is in a message", async () => {
  const operator = new Operator();
  const server = await startNats({ more: operator.settings });
  const [good, stranger] = [operator.account.user(), new Operator().account.user()];
  const ended = operator.account.user({ exp: 1_700_000_000 });
  const refused: [string, RegExp][] = [
    [stranger.text, /Authorization Violation$/],
    [good.text.replace(good.seed, stranger.seed), /Authorization Violation$/],
    [ended.text, /Authorization Violation; .*JWT ended 2023-11-14T22:13:20/],
    ["the wrong file", /no user's JWT with a seed/],
    [good.text.slice(0, good.text.indexOf("-----BEGIN USER")), /no user's JWT with a seed/],
  ];
  for (const [creds, why] of refused) {
    const node = await startNatsNode(natsSettingsFor([server], { credentials: { type: "creds", creds } }));
    expect(node.engine.health()).toMatchObject({ reachable: false, why: expect.stringMatching(why) });
    const told = JSON.stringify([node.engine.health(), node.failures]);
    for (const { seed } of [good, stranger, ended]) expect(told).not.toContain(seed);
  }
});
