/** A request's address that is cut is the one that would be parsed. */

import { describe, expect, test } from "bun:test";
import { urlReader } from "../../packages/server/src/http/request-url.ts";

const ORIGIN = "http://fanfare.example:9501";

const TARGETS = [
  "/",
  "/apps/demo/events",
  "/apps/demo/events?",
  "/apps/demo/events?auth_key=key&auth_version=1.0&body_md5=d41d8cd98f00b204e9800998ecf8427e",
  "/apps/demo/channels/presence-a/users?info=user_count,subscription_count",
  "/apps/demo/events?a=1&a=2&&b&=c",
  "/apps/demo/events?a=b%20c+d",
  "/apps/d%65mo/events",
  "/apps/demo/../other/events",
  "/apps/demo/./events?x=1",
  "/apps//events?x=/y?z",
  "//elsewhere/apps/demo/events",
  "/apps/demo/events#part",
  "/apps/demo/events?x=1#part",
  "/apps/demo/events?name=it's",
  "/apps/dömo/events?x=ö",
  "/a.b/c.d?x=..",
  "\\apps\\demo\\events",
  "@elsewhere/apps/demo/events",
  ".evil/apps/demo/events",
  "0/apps/demo/events",
];

describe("an address is read as URL reads it, the first of its origin and the second", () => {
  test.each(TARGETS)("%s", (target) => {
    const read = urlReader();
    read(asked(`${ORIGIN}/`));
    const expected = partsOf(URL.parse(ORIGIN + target));
    for (let n = 0; n < 2; n++) expect(partsOf(read(asked(ORIGIN + target)))).toEqual(expected);
  });
});

test("hosts that take turns do not get each other's", () => {
  const read = urlReader();
  const origins = ["http://a", "https://a", "http://a.b", "http://a:81", "http://a"];
  for (const origin of origins)
    expect(partsOf(read(asked(`${origin}/x?y=1`)))).toEqual(partsOf(new URL(`${origin}/x?y=1`)));
});

test("a Host header that is no host is noticed, whoever came before", () => {
  const read = urlReader();
  expect(read(asked(`${ORIGIN}/up`))).not.toBeNull();
  expect(read(asked("http://a b/up"))).toBeNull();
  expect(read(asked("http://1.2.3.999/up"))).toBeNull();
  expect(read(asked(`${ORIGIN}:9/up`))).toBeNull();
  expect(read(asked("/up"))).toBeNull();
});

test("without a Host header, as in HTTP/1.0, the path is enough", () => {
  const read = urlReader();
  for (let n = 0; n < 2; n++) expect(read(asked("/up?x=1", {}))?.pathname).toBe("/up");
});

/** As a listener hands it over: a request that a program makes would have an address that is right. */
function asked(url: string, headers: Record<string, string> = { host: "given" }): Request {
  return { url, headers: new Headers(headers) } as unknown as Request;
}

function partsOf(url: Pick<URL, "href" | "protocol" | "pathname" | "search" | "searchParams"> | null) {
  if (!url) return null;
  const { href, protocol, pathname, search, searchParams } = url;
  return { href, protocol, pathname, search, parameters: [...searchParams] };
}
