/** `@fanfare/client/vue` and `/svelte` in a real browser with a real server; every claim about frames is counted on the wire. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { makeToken } from "../support/native-client.ts";
import { startServer } from "../support/server.ts";
import { APP_OPTIONS, bundlePage, importBundle, openStage, type Part, type Scene } from "./stage.ts";
import { sveltePlugin } from "./svelte-plugin.ts";

setDefaultTimeout(60_000);

interface ServerSide {
  atOnce(scene: Scene): string | Promise<string>;
  stateOfClient(): string;
}

const browser = await openBrowser();
const server = await startServer({}, APP_OPTIONS);
const scripts = {
  vue: bundlePage("vue.ts"),
  svelte: bundlePage("svelte.ts", [sveltePlugin("client")]),
};
const rendered = {
  vue: importBundle<ServerSide>("vue-server.ts"),
  svelte: importBundle<ServerSide>("svelte-server.ts", [sveltePlugin("server")]),
};

const push = (channel: string, data: unknown) => server.toChannel(channel).push({ event: "said", data });

describe.each(["vue", "svelte"] as const)("in %s,", (framework) => {
  const open = async (options = {}) => openStage(browser, server, await scripts[framework], options);

  test("two components of one channel are one subscription, which goes with the last", async () => {
    const { render, replace, text, call, sent, errors } = await open();
    const name = `room-${framework}`;
    const parts: Part[] = [
      { id: "a", kind: "events", name },
      { id: "b", kind: "event", name },
      { id: "c", kind: "channel", name },
    ];
    await render({ parts });
    await eventually(async () => expect(await text("c")).toBe("attached"));
    await push(name, 1);
    await eventually(async () => expect([await text("a"), await text("b")]).toEqual(["1", "1"]));
    await replace({ parts: [{ id: "d", kind: "events", name }] });
    await push(name, 2);
    await eventually(async () => expect(await text("d")).toBe("2"));
    expect(sent).toEqual([`subscribe ${name}`]);
    await call("unmount");
    await eventually(() => expect(sent).toEqual([`subscribe ${name}`, `unsubscribe ${name}`]));
    expect(errors).toEqual([]);
  });

  test("a getter that gives another name subscribes another channel, and null none", async () => {
    const { render, text, sent, errors } = await open();
    const names = [`first-${framework}`, `second-${framework}`] as const;
    const show = (name: string | null) =>
      render({
        parts: [
          { id: "a", kind: "events", name },
          { id: "b", kind: "event", name },
        ],
      });
    await show(null);
    expect(await text("a")).toBe("");
    for (const [index, name] of names.entries()) {
      await show(name);
      await eventually(async () => expect(await text("a")).toBe(""));
      await eventually(async () => expect((await server.channel(name).info())?.subscribers).toBe(1));
      await push(name, index);
      await eventually(async () => expect(await text("a")).toBe(String(index)));
    }
    expect(await text("b")).toBe("0 1");
    await show(null);
    await eventually(() => expect(sent.filter((it) => it.startsWith("unsubscribe")).length).toBe(2));
    expect(sent.filter((it) => it.startsWith("subscribe"))).toEqual(names.map((name) => `subscribe ${name}`));
    expect(await text("a")).toBe("");
    expect(errors).toEqual([]);
  });

  test("what is hidden gives its channel up; what is kept of it is told when it comes back", async () => {
    const { render, text, sent, errors } = await open();
    const name = `kept-${framework}`;
    const parts: Part[] = [{ id: "a", kind: "events", name, rewind: true }];
    await push(name, 1);
    await render({ parts });
    await eventually(async () => expect(await text("a")).toBe("1"));
    await render({ parts, isHidden: true });
    await eventually(() => expect(sent).toEqual([`subscribe ${name}`, `unsubscribe ${name}`]));
    await push(name, 2);
    await render({ parts });
    await eventually(async () => expect(await text("a")).toBe("1 2"));
    expect(errors).toEqual([]);
  });

  test("members are listed, and state stays up to date over a cut connection", async () => {
    const name = `presence-${framework}`;
    const token = await makeToken({ sub: "ada", channels: [name] });
    const { render, text, call, page, errors } = await open({ query: { token } });
    await render({
      parts: [
        { id: "a", kind: "members", name },
        { id: "b", kind: "live", name: "kept-state" },
      ],
    });
    await eventually(async () => expect(await text("a")).toBe("ada"));
    await eventually(async () => expect(await text("b")).toStartWith("live:"));
    await call("cut");
    await push("kept-state", framework);
    await eventually(async () => expect(await text("b")).toEndWith(framework));
    expect(await page.evaluate("counts.loads")).toBe(1);
    expect(errors).toEqual([]);
  });

  test("what a server has rendered connects nothing there, and hydrates without a difference", async () => {
    const name = `hydrated-${framework}`;
    const scene: Scene = {
      parts: [
        { id: "a", kind: "connection" },
        { id: "b", kind: "channel", name },
        { id: "c", kind: "events", name },
        { id: "d", kind: "live", name: "kept-state" },
      ],
    };
    const on = await rendered[framework];
    const markup = await on.atOnce(scene);
    expect(markup).toContain("idle");
    expect(on.stateOfClient()).toBe("idle");
    const { render, text, errors } = await open({ markup });
    await render(scene);
    await eventually(async () => expect([await text("a"), await text("b")]).toEqual(["connected", "attached"]));
    await push(name, 1);
    await eventually(async () => expect(await text("c")).toBe("1"));
    await eventually(async () => expect(await text("d")).toStartWith("live:"));
    expect(errors).toEqual([]);
  });
});

test("in vue, an effect scope outside of components subscribes until it is stopped", async () => {
  const { page, sent, errors } = await openStage(browser, server, await scripts.vue);
  await page.evaluate("window.textOfScope = openScope('scoped')");
  await eventually(async () => expect((await server.channel("scoped").info())?.subscribers).toBe(1));
  await push("scoped", 1);
  await eventually(async () => expect(await page.evaluate("textOfScope()")).toBe("1"));
  await page.evaluate("closeScopes()");
  await eventually(() => expect(sent).toEqual(["subscribe scoped", "unsubscribe scoped"]));
  expect(errors).toEqual([]);
});
