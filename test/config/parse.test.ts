/** What a configuration turns into, and what is said about one that is wrong. */

import { describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import {
  ConfigError,
  type ConfigInput,
  defineConfig,
  maskSecrets,
  parseConfig,
} from "../../packages/server/src/config/load.ts";

const app = { id: "shop", key: "shop-key", secret: "s3cret" };

function refusal(input: unknown): string {
  try {
    parseConfig(input);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "accepted";
}

describe("a valid configuration", () => {
  test("may be empty, for everything has a default", () => {
    const config = parseConfig({});
    expect(config).toMatchObject({ host: "0.0.0.0", port: 9501, workers: 1, path: "", mode: "development", apps: [] });
    expect(config).toMatchObject({ stateDir: ".fanfare", activityTimeoutS: 30, pongTimeoutS: 30, drainTimeoutS: 5 });
    expect(config).toMatchObject({
      signatureWindowS: 600,
      strictProtocol: false,
      log: { level: "info", format: "auto" },
    });
    expect(config.limits).toEqual({
      connections: 100_000,
      connectionsPerIp: Number.POSITIVE_INFINITY,
      connectionRatePerIp: Number.POSITIVE_INFINITY,
      frameBytes: 655_360,
      httpBodyBytes: 6_553_600,
      outboundBufferBytes: 13_107_200,
      readerLagS: 30,
      jsonDepth: 32,
      waitingCommands: 20_000,
      waitingBytes: 4_194_304,
      handshakeTimeoutS: 10,
    });
    expect(config.tls).toBeUndefined();
  });

  test("gives every app the defaults, and the app has the last word", () => {
    const [resolved] = parseConfig({
      defaults: { clientEvents: true, limits: { batchSize: 3, userIdLength: 64 }, channels: [{ match: "a*" }] },
      apps: [{ ...app, anonymous: true, limits: { batchSize: 7 } }],
    }).apps;
    expect(resolved).toMatchObject({
      clientEvents: true,
      anonymous: true,
      enabled: true,
      name: "shop",
      secrets: ["s3cret"],
    });
    expect(resolved?.limits).toMatchObject({ batchSize: 7, userIdLength: 64, presenceMembers: 100 });
    expect(resolved?.channels).toEqual([{ match: "a*" }]);
  });

  test("takes an app's channel rules instead of the default ones", () => {
    const [resolved] = parseConfig({
      defaults: { channels: [{ match: "a*" }] },
      apps: [
        { ...app, channels: [{ match: "b*", clientPublish: "any", cacheTtlS: 0.5, maxSubscribers: "unlimited" }] },
      ],
    }).apps;
    const rule = { match: "b*", clientPublish: "any", cacheTtlS: 0.5, maxSubscribers: Number.POSITIVE_INFINITY };
    expect<unknown>(resolved?.channels).toEqual([rule]);
  });

  test("has no limit of connections per app unless one is given", () => {
    expect(parseConfig({}).defaults.limits.connections).toBe(Number.POSITIVE_INFINITY);
    expect(parseConfig({ defaults: { limits: { connections: "unlimited" } } }).defaults.limits.connections).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(parseConfig({ defaults: { limits: { connections: 5 } } }).defaults.limits.connections).toBe(5);
  });

  test("keeps several secrets in order, the first of which signs", () => {
    const { secret: _, ...rest } = app;
    expect(parseConfig({ apps: [{ ...rest, secrets: ["new", "old"] }] }).apps[0]?.secrets).toEqual(["new", "old"]);
  });

  test("may use fractions of a second", () => {
    expect(parseConfig({ drainTimeoutS: 0.25 }).drainTimeoutS).toBe(0.25);
  });

  test("passes unchanged when it was resolved before", () => {
    const once = parseConfig({ apps: [{ ...app, token: { secret: "t" } }], tls: { certFile: "c", keyFile: "k" } });
    expect(parseConfig(once)).toEqual(once);
  });

  test("may leave a key undefined", () => {
    expect(parseConfig({ port: undefined, limits: { frameBytes: undefined } })).toEqual(parseConfig({}));
  });

  test("is typed in a file by defineConfig, which changes nothing", () => {
    const input: ConfigInput = { port: 1, apps: [app] };
    expect(defineConfig(input)).toBe(input);
  });
});

describe("an unknown key", () => {
  const cases: [string, unknown, string][] = [
    ["at the top", { prot: 1 }, "unknown key `prot`: did you mean `port`?"],
    ["in an object", { limits: { frameByte: 1 } }, "unknown key `limits.frameByte`: did you mean `limits.frameBytes`?"],
    [
      "in a list",
      { apps: [{ ...app, clientEvent: true }] },
      "unknown key `apps[0].clientEvent`: did you mean `apps[0].clientEvents`?",
    ],
    [
      "in an app's limits",
      { apps: [{ ...app, limits: { batchsize: 1 } }] },
      "unknown key `apps[0].limits.batchsize`: did you mean `apps[0].limits.batchSize`?",
    ],
    [
      "in a token's rules",
      { apps: [{ ...app, token: { secert: "x" } }] },
      "unknown key `apps[0].token.secert`: did you mean `apps[0].token.secret`?",
    ],
    [
      "in a channel rule",
      { defaults: { channels: [{ match: "a", cacheTtl: 1 }] } },
      "unknown key `defaults.channels[0].cacheTtl`: did you mean `defaults.channels[0].cacheTtlS`?",
    ],
    ["in the wrong place", { frameBytes: 4096 }, "unknown key `frameBytes`: did you mean `limits.frameBytes`?"],
  ];
  test.each(cases)("%s is refused with the nearest known name", (_where, input, sentence) => {
    expect(refusal(input)).toBe(sentence);
  });

  test("that is like no other is refused with the names known there", () => {
    expect(refusal({ log: { colour: true } })).toBe(
      "unknown key `log.colour`: known here: level, format, file, errorFile, rotate, keep, maxBytes",
    );
  });

  test("called __proto__ is refused where it is written out and without effect where it is inherited", () => {
    expect(refusal(JSON.parse('{"__proto__":{"port":1}}'))).toStartWith("unknown key `__proto__`");
    expect(refusal(JSON.parse('{"limits":{"__proto__":{"jsonDepth":3}}}'))).toStartWith(
      "unknown key `limits.__proto__`",
    );
    expect(parseConfig({ __proto__: { port: 1 } }).port).toBe(9501);
    expect(Object.getOwnPropertyDescriptor(Object.prototype, "port")).toBeUndefined();
  });

  test("called constructor is as unknown as any other", () => {
    expect(refusal({ constructor: 1 })).toStartWith("unknown key `constructor`");
  });
});

describe("a wrong value", () => {
  const cases: [unknown, string][] = [
    [{ port: "x" }, '`port` has to be a whole number from 0 to 65535, but is "x"'],
    [{ port: 1.5 }, "`port` has to be a whole number from 0 to 65535, but is the number 1.5"],
    [{ port: 65_536 }, "`port` has to be a whole number from 0 to 65535, but is the number 65536"],
    [
      { host: "" },
      "`host` has to be a host name, an IP address or the path of a Unix socket, without scheme and port, but is empty",
    ],
    [{ workers: 0 }, '`workers` has to be a whole number from 1 to 256, or "auto", but is the number 0'],
    [{ workers: 1.5 }, '`workers` has to be a whole number from 1 to 256, or "auto", but is the number 1.5'],
    [{ workers: "many" }, '`workers` has to be a whole number from 1 to 256, or "auto", but is "many"'],
    [
      { path: "/ws/" },
      '`path` has to be empty, or a path such as "/ws" that starts with "/" and does not end with it, but is "/ws/"',
    ],
    [
      { path: "ws" },
      '`path` has to be empty, or a path such as "/ws" that starts with "/" and does not end with it, but is "ws"',
    ],
    [{ mode: "test" }, '`mode` has to be "development" or "production", but is "test"'],
    [{ strictProtocol: "yes" }, '`strictProtocol` has to be true or false, but is "yes"'],
    [
      { activityTimeoutS: Number.NaN },
      "`activityTimeoutS` has to be a number of seconds from 0.05 to 2147483, but is the number NaN",
    ],
    [
      { log: { level: 3 } },
      '`log.level` has to be "trace", "debug", "info", "notice", "warn", "warning", "error", "fatal" or "silent", but is the number 3',
    ],
    [{ limits: 5 }, "`limits` has to be an object, but is the number 5"],
    [{ tls: null }, "`tls` has to be an object with `certFile` and `keyFile`, but is null"],
    [{ tls: { certFile: "c" } }, "`tls.keyFile` is missing: it has to be the name of a file"],
    [{ apps: "x" }, '`apps` has to be a list of apps, but is "x"'],
    [{ apps: ["x"] }, '`apps[0]` has to be an object with `id`, `key` and `secret`, but is "x"'],
    [
      { apps: [{ ...app, id: 12 }] },
      '`apps[0].id` has to be text of up to 128 letters, digits, "-", "_" and ".", but is the number 12',
    ],
    [
      { defaults: { limits: { connections: "lots" } } },
      '`defaults.limits.connections` has to be a whole number from 1 up, or "unlimited", but is "lots"',
    ],
    [{ defaults: { channels: [{}] } }, "`defaults.channels[0].match` is missing: it has to be text, not empty"],
    [null, "the configuration has to be an object, but is null"],
    [[], "the configuration has to be an object, but is an empty list"],
  ];
  test.each(cases)("%j is refused with the key, what was got and what is accepted", (input, sentence) => {
    expect(refusal(input)).toBe(sentence);
  });

  test("is cut short in the message when it is long", () => {
    expect(refusal({ mode: "x".repeat(500) }).length).toBeLessThan(150);
  });

  test("is told of together with the others, one line each", () => {
    expect(refusal({ prot: 1, port: "x", path: "ws" }).split("\n")).toHaveLength(3);
  });
});

describe("an app", () => {
  const { secret: _, ...bare } = app;

  test("needs an id, a key and a secret", () => {
    expect(
      refusal({ apps: [{}] })
        .split("\n")
        .map((line) => line.slice(0, 22)),
    ).toEqual(["`apps[0].id` is missin", "`apps[0].key` is missi"]);
    expect(refusal({ apps: [bare] })).toBe(
      "`apps[0].secret` is missing: it has to be text, not empty (or `apps[0].secrets` a list of them)",
    );
  });

  test("has a secret or secrets but not both, and not none", () => {
    expect(refusal({ apps: [{ ...app, secrets: ["a"] }] })).toBe(
      "`apps[0]` has both `secret` and `secrets`: keep one of them",
    );
    expect(refusal({ apps: [{ ...bare, secrets: [] }] })).toBe(
      "`apps[0].secrets` has to be a list of one or more secrets, but is an empty list",
    );
  });

  test("never has its secret shown in a message", () => {
    for (const wrong of [
      { secret: 771_177 },
      { secrets: ["ok", 771_177] },
      { secrets: 771_177 },
      { token: { secret: 771_177 } },
    ]) {
      const message = refusal({ apps: [{ ...(wrong.secret || wrong.secrets ? bare : app), ...wrong }] });
      expect(message).toContain("(not shown)");
      expect(message).not.toContain("771177");
    }
  });

  test("shares neither id nor key with another", () => {
    expect(refusal({ apps: [app, { ...app, id: "b" }] })).toBe(
      '`apps[1].key` is "shop-key", as `apps[0].key` is: every app needs a key of its own',
    );
    expect(refusal({ apps: [app, { ...app, key: "b" }] })).toBe(
      '`apps[1].id` is "shop", as `apps[0].id` is: every app needs an id of its own',
    );
  });
});

describe("token rules", () => {
  const pem = (key: { export(options: { type: "spki"; format: "pem" }): string | Buffer }) =>
    String(key.export({ type: "spki", format: "pem" }));
  const rsa = pem(generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey);
  const ec = pem(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey);
  const ed = pem(generateKeyPairSync("ed25519").publicKey);
  const wide = pem(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey);
  const tokenOf = (token: object) => parseConfig({ apps: [{ ...app, token }] }).apps[0]?.token;

  test("take the algorithms that fit the key where none are named", () => {
    expect(tokenOf({ secret: "x" })).toEqual({
      secret: "x",
      algorithms: ["HS256"],
      clockToleranceS: 5,
      expiry: "close",
      inUrl: true,
    });
    const ignoring = { algorithms: ["HS256"], clockToleranceS: 5, expiry: "ignore", inUrl: true } as const;
    expect(tokenOf({ expiry: "ignore" })).toEqual(ignoring);
    expect(tokenOf({ publicKey: rsa })?.algorithms).toEqual(["RS256"]);
    expect(tokenOf({ publicKey: ec })?.algorithms).toEqual(["ES256"]);
    expect(tokenOf({ publicKey: ed })?.algorithms).toEqual(["EdDSA"]);
    expect(tokenOf({ jwksUrl: "https://a.example/keys" })?.algorithms).toEqual(["RS256", "ES256", "EdDSA"]);
  });

  const cases: [object, string][] = [
    [
      { secret: "x", publicKey: "y" },
      "`apps[0].token` has to have at most one of `secret`, `publicKey` and `jwksUrl`, but has `secret` and `publicKey`",
    ],
    [
      { secret: "x", algorithms: ["RS256"] },
      "`apps[0].token.algorithms` has RS256, which does not fit `secret`: use HS256",
    ],
    [
      { publicKey: rsa, algorithms: ["HS256"] },
      "`apps[0].token.algorithms` has HS256, which does not fit `publicKey`: use RS256",
    ],
    [
      { secret: "x", algorithms: ["none"] },
      '`apps[0].token.algorithms[0]` has to be "HS256", "RS256", "ES256" or "EdDSA", but is "none"',
    ],
    [
      { secret: "x", algorithms: [] },
      '`apps[0].token.algorithms` has to be a list of "HS256", "RS256", "ES256" and "EdDSA", but is an empty list',
    ],
    [
      { publicKey: "x" },
      '`apps[0].token.publicKey` has to be a public key in PEM form, from "-----BEGIN PUBLIC KEY-----" to its end',
    ],
    [{ publicKey: wide }, "`apps[0].token.publicKey` has to be an RSA, P-256 or Ed25519 key, but is ec"],
    [
      { jwksUrl: "file:///etc/passwd" },
      '`apps[0].token.jwksUrl` has to be an http:// or https:// address, but is "file:///etc/passwd"',
    ],
  ];
  test.each(cases)("%j are refused", (token, sentence) => {
    expect(refusal({ apps: [{ ...app, token }] })).toBe(sentence);
  });
});

test("maskSecrets hides what the table calls a secret, in every corner", () => {
  const hook = { url: "https://a.example", headers: { Authorization: "SECRET-1" } };
  const config = parseConfig({
    apps: [{ id: "a", key: "k", secret: "SECRET-2", webhooks: [hook], token: { secret: "SECRET-3" } }],
    database: { url: "postgres://me:SECRET-4@h/d" },
    metrics: { token: "SECRET-5" },
    dashboard: { password: "SECRET-6-long-enough" },
    redis: { password: "SECRET-7" },
    nats: { token: "SECRET-8" },
  });
  const shown = JSON.stringify(maskSecrets(config));
  expect(shown).not.toContain("SECRET");
  expect(shown).toContain("https://a.example");
  expect(shown).toContain("Authorization");
});

test("maskSecrets hides every secret and nothing else", () => {
  const config = parseConfig({
    tls: { certFile: "c.pem", keyFile: "k.pem", passphrase: "hush-1" },
    apps: [
      { id: "a", key: "a-key", secrets: ["hush-2", "hush-3"], token: { secret: "hush-4" } },
      { id: "b", key: "b-key", secret: "hush-5", token: { jwksUrl: "https://a.example/keys" } },
    ],
  });
  const shown = JSON.stringify(maskSecrets(config));
  expect(shown).not.toContain("hush");
  for (const kept of ["a-key", "b-key", "c.pem", "https://a.example/keys"]) expect(shown).toContain(kept);
  expect(maskSecrets(config).apps[0]?.secrets).toHaveLength(2);
  expect(config.apps[0]?.secrets).toEqual(["hush-2", "hush-3"]);
});
