/** A configuration cannot reach a prototype, and says so. Scenario 67. */

import { expect, test } from "bun:test";
import { ConfigError, createServer } from "../../packages/server/src/index.ts";
import { APP } from "../support/server.ts";

test.each([
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"limits":{"__proto__":{"polluted":true}}}',
  '{"defaults":{"limits":{"__proto__":{"polluted":true}}}}',
  `{"apps":[{"id":"a","key":"a","secret":"${APP.secret}","__proto__":{"polluted":true}}]}`,
  `{"apps":[{"id":"a","key":"a","secret":"${APP.secret}","channels":[{"match":"x","__proto__":{"polluted":true}}]}]}`,
])("%s is refused as an unknown key (scenario 67)", (text) => {
  expect(() => createServer(JSON.parse(text))).toThrow(ConfigError);
  expect(() => createServer(JSON.parse(text))).toThrow(/unknown key `[\w.[\]]*(__proto__|constructor)`/);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});
