/** `@fanfare/client/react` in a real browser with a real server, in React 19 and 18; every claim about frames is counted on the wire. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { BunPlugin } from "bun";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken } from "../support/native-client.ts";
import { startServer } from "../support/server.ts";
import type * as reactServer from "./pages/react-server.tsx";
import { APP_OPTIONS, bundlePage, importBundle, openStage, type Part, type Scene } from "./stage.ts";

setDefaultTimeout(60_000);

/** React 18 in place of the newest, in everything that imports React. */
const react18: BunPlugin = {
  name: "react-18",
  setup(build) {
    build.onResolve({ filter: /^react(-dom)?(\/|$)/ }, ({ path }) => ({
      path: Bun.resolveSync(
        path.replace(/^react(-dom)?/, (name) => `${name}-18`),
        import.meta.dir,
      ),
    }));
  },
};

const browser = await openBrowser();
const server = await startServer({}, APP_OPTIONS);

const push = (channel: string, data: unknown) => server.toChannel(channel).push({ event: "said", data });
const pushAll = async (channel: string, data: readonly unknown[]) => {
  for (const it of data) await push(channel, it);
};

describe.each([
  [19, []],
  [18, [react18]],
] as const)("in React %d,", (version, plugins) => {
  const script = bundlePage("react.tsx", [...plugins]);
  const rendered = importBundle<typeof reactServer>("react-server.tsx", [...plugins]);
  const open = async (options = {}) => openStage(browser, server, await script, options);
  let rooms = 0;
  const newRoom = (prefix = "room") => `${prefix}-${version}-${++rooms}`;

  test("two components of one channel are one subscription, in StrictMode too, which goes with the last", async () => {
    const { render, replace, text, call, sent, errors } = await open();
    const name = newRoom();
    const [a, b, c]: Part[] = [
      { id: "a", kind: "events", name },
      { id: "b", kind: "event", name },
      { id: "c", kind: "channel", name },
    ] as const;
    await render({ parts: [a, b, c] as Part[] });
    await eventually(async () => expect(await text("c")).toBe("attached"));
    await push(name, 1);
    await eventually(async () => expect([await text("a"), await text("b")]).toEqual(["1", "1"]));
    await replace({ parts: [b] as Part[] });
    // React mounts when it has time: what comes before is nobody's.
    await eventually(async () => {
      await push(name, 2);
      expect(await text("b")).toStartWith("2");
    });
    expect(sent).toEqual([`subscribe ${name}`]);
    await call("unmount");
    await eventually(() => expect(sent).toEqual([`subscribe ${name}`, `unsubscribe ${name}`]));
    expect(errors).toEqual([]);
  });

  test("another name is another channel, and null is none", async () => {
    const { render, text, sent, errors } = await open();
    const names = [newRoom(), newRoom()] as const;
    const show = (name: string | null) => render({ parts: [{ id: "a", kind: "events", name }] });
    await show(null);
    expect(await text("a")).toBe("");
    await show(names[0]);
    await eventually(async () => expect((await server.channel(names[0]).info())?.subscribers).toBe(1));
    await push(names[0], 1);
    await eventually(async () => expect(await text("a")).toBe("1"));
    await show(names[1]);
    expect(await text("a")).toBe("");
    await eventually(async () => expect((await server.channel(names[1]).info())?.subscribers).toBe(1));
    await push(names[1], 2);
    await eventually(async () => expect(await text("a")).toBe("2"));
    await eventually(() =>
      expect(sent).toEqual([`subscribe ${names[0]}`, `subscribe ${names[1]}`, `unsubscribe ${names[0]}`]),
    );
    await show(null);
    await eventually(() => expect(sent.at(-1)).toBe(`unsubscribe ${names[1]}`));
    expect(errors).toEqual([]);
  });

  test("the newest listener is called, and what is kept is told once although effects run twice", async () => {
    const { render, text, sent, errors } = await open();
    const name = newRoom("kept");
    await pushAll(name, [1, 2]);
    const show = (label: string) => render({ parts: [{ id: "a", kind: "event", name, rewind: true, label }] });
    await show("a");
    await eventually(async () => expect(await text("a")).toBe("a1 a2"));
    await show("b");
    await push(name, 3);
    await eventually(async () => expect(await text("a")).toBe("a1 a2 b3"));
    expect(sent).toEqual([`subscribe ${name}`]);
    expect(errors).toEqual([]);
  });

  test("a list of what is kept is filled up after the connection was cut", async () => {
    const { render, text, call, errors } = await open();
    const name = newRoom("kept");
    const all = Array.from({ length: 300 }, (_, index) => index);
    await pushAll(name, all.slice(0, 200));
    await render({ parts: [{ id: "a", kind: "events", name, rewind: true }] });
    await eventually(async () => expect(await text("a")).toBe(all.slice(0, 200).join(" ")));
    await call("cut");
    await pushAll(name, all.slice(200));
    await eventually(async () => expect(await text("a")).toBe(all.join(" ")));
    expect(errors).toEqual([]);
  });

  test("members are listed, oneself too", async () => {
    const name = newRoom("presence");
    const pages = await Promise.all(
      ["ada", "bob"].map(async (user) => open({ query: { token: await makeToken({ sub: user, channels: [name] }) } })),
    );
    for (const { render } of pages) await render({ parts: [{ id: "a", kind: "members", name }] });
    const idsOn = async (stage: (typeof pages)[number]) => (await stage.text("a"))?.split(" ").sort();
    for (const stage of pages) await eventually(async () => expect(await idsOn(stage)).toEqual(["ada", "bob"]));
    await pages[1]?.call("unmount");
    await eventually(async () => expect(await pages[0]?.text("a")).toBe("ada"));
  });

  test("state is loaded once, kept up to date, and stays on the page while the connection is away", async () => {
    const { render, text, call, page, errors } = await open();
    await render({ parts: [{ id: "a", kind: "live", name: "kept-state" }] });
    await eventually(async () => expect(await text("a")).toStartWith("live:"));
    const first = 1_000 * version;
    await push("kept-state", first);
    await eventually(async () => expect(await text("a")).toEndWith(`${first}`));
    await call("cut");
    await push("kept-state", first + 1);
    await eventually(async () => expect(await text("a")).toEndWith(`${first} ${first + 1}`));
    expect(await text("a")).toStartWith("live:");
    expect(await page.evaluate("counts.loads")).toBe(1);
    expect(errors).toEqual([]);
  });

  test("components that suspend wait for the first load together, and never again", async () => {
    const { render, text, call, page, errors } = await open();
    const part = { kind: "live", name: "kept-state", suspense: true } as const;
    await render({
      parts: [
        { id: "a", ...part },
        { id: "b", ...part },
      ],
    });
    await eventually(async () => expect(await text("a")).toStartWith("live:"));
    expect(await text("b")).toBe(await text("a"));
    expect(await page.evaluate("[counts.loads, counts.fallbacks > 0]")).toEqual([1, true]);
    const fallbacks = await page.evaluate("counts.fallbacks");
    await call("cut");
    await push("kept-state", version);
    await eventually(async () => expect(await text("a")).toEndWith(` ${version}`));
    expect(await page.evaluate("[counts.loads, counts.fallbacks]")).toEqual([1, fallbacks]);
    expect(errors).toEqual([]);
  });

  test.each(["atOnce", "streamed"] as const)(
    "what a server has rendered %s hydrates without a difference",
    async (way) => {
      const name = newRoom("kept");
      await push(name, 1);
      const scene: Scene = {
        parts: [
          { id: "a", kind: "connection" },
          { id: "b", kind: "channel", name },
          { id: "c", kind: "events", name, rewind: true },
          { id: "d", kind: "members", name },
          { id: "e", kind: "live", name: "kept-state", suspense: way === "streamed" },
        ],
      };
      const on = await rendered;
      const markup = await on[way](scene);
      expect(markup).toContain("idle");
      expect(on.stateOfClient()).toBe("idle");
      const { render, text, sent, errors } = await open({ markup });
      await render(scene);
      await eventually(async () => expect([await text("a"), await text("c")]).toEqual(["connected", "1"]));
      await eventually(async () => expect(await text("e")).toStartWith("live:"));
      expect(sent.sort()).toEqual(["subscribe kept-state", `subscribe ${name}`].sort());
      expect(errors).toEqual([]);
    },
  );
});

describe("in the newest React,", () => {
  const script = bundlePage("react.tsx");

  test("what Activity hides gives its channels up, and catches up when it is shown", async () => {
    const { render, text, sent, errors } = await openStage(browser, server, await script);
    const name = "kept-activity";
    const parts: Part[] = [
      { id: "a", kind: "events", name, rewind: true },
      { id: "b", kind: "event", name, rewind: true },
    ];
    await push(name, 1);
    await render({ parts });
    await eventually(async () => expect([await text("a"), await text("b")]).toEqual(["1", "1"]));
    await render({ parts, isHidden: true });
    await eventually(() => expect(sent).toEqual([`subscribe ${name}`, `unsubscribe ${name}`]));
    await push(name, 2);
    await render({ parts });
    await eventually(async () => expect([await text("a"), await text("b")]).toEqual(["1 2", "1 2"]));
    expect(errors).toEqual([]);
  });

  test("one commit never shows two states of a list, whatever comes while a transition renders", async () => {
    const { page, errors } = await openStage(browser, server, await bundlePage("tearing.tsx"));
    await page.evaluate("start('kept-tearing')");
    await eventually(async () => expect((await server.channel("kept-tearing").info())?.subscribers).toBe(1));
    for (let step = 0; step < 5; step++) {
      await page.evaluate("showInTransition()");
      await pushAll("kept-tearing", [1, 2, 3]);
    }
    await eventually(async () => expect(await page.evaluate("lengths.at(-1)")).toBe(15));
    const [torn, commits] = await page.evaluate<[unknown, number]>("[torn, lengths.length]");
    expect(torn).toEqual([]);
    expect(commits).toBeGreaterThan(3);
    expect(errors).toEqual([]);
  });
});
