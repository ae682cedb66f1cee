/** docs/clients.md and the hand-made auth endpoint, with the real pusher-js: what people copy does what it says (A52). */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Pusher, { type Options } from "pusher-js";
import { libraryFor } from "../conformance/backend.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { APP, startServer } from "../support/server.ts";
import { startExample } from "./example.ts";

const TEXT = readFileSync(join(import.meta.dir, "..", "..", "docs", "clients.md"), "utf8");

const server = await startServer();
const library = libraryFor(server.port);

type Use = (name: string, event: string, onEvent: (data: unknown) => void) => void;

/** What the guide's script leaves behind under this name, with these names given in place of its imports. */
function run(script: string, wanted: string, given: Readonly<Record<string, unknown>>): unknown {
  const body = script.replaceAll(/^import .*$/gm, "").replaceAll(/^export /gm, "");
  return new Function(...Object.keys(given), `${body}\nreturn ${wanted};`)(...Object.values(given));
}

function block(heading: string, language: string): string {
  const [, section = ""] = TEXT.split(`## ${heading}\n`);
  const [, script = ""] = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(section) ?? [];
  return script;
}

function guidesPusher(): Pusher {
  const script = block("pusher-js and Laravel Echo", "js")
    .replace("APP_KEY", APP.key)
    .replace("9501", String(server.port));
  const pusher = run(script, "pusher", { Pusher }) as Pusher;
  atEnd(() => pusher.disconnect());
  return pusher;
}

/** A framework's part in it: when a component comes, and when it goes. Gives what unmounts it. */
interface Framework {
  readonly name: string;
  mount(pusher: Pusher): { use: Use; component(body: () => void): () => void };
}

const react: Framework = {
  name: "React",
  mount(pusher) {
    let effects: (() => unknown)[] = [];
    const useEffect = (effect: () => unknown) => effects.push(effect);
    const useRef = (current: unknown) => ({ current });
    const use = run(block("React with pusher-js", "jsx"), "useChannel", { useEffect, useRef, pusher }) as Use;
    const component = (body: () => void) => {
      effects = [];
      body();
      const ends = effects.map((effect) => effect());
      return () => {
        for (const end of ends) if (typeof end === "function") end();
      };
    };
    return { use, component };
  },
};

const vue: Framework = {
  name: "Vue",
  mount(pusher) {
    let ends: (() => void)[] = [];
    const onMounted = (hook: () => void) => hook();
    const onUnmounted = (hook: () => void) => ends.push(hook);
    const use = run(block("Vue with pusher-js", "js"), "useChannel", { onMounted, onUnmounted, pusher }) as Use;
    const component = (body: () => void) => {
      ends = [];
      body();
      const own = ends;
      return () => {
        for (const end of own) end();
      };
    };
    return { use, component };
  },
};

describe.each([react, vue])("the $name snippet", ({ name, mount }) => {
  test("subscribes for as long as a component uses the channel, and tells it what comes (A52)", async () => {
    const channel = `orders-${name}`;
    const { use, component } = mount(guidesPusher());
    const heard: unknown[][] = [[], []];
    const [first, second] = heard.map((list) => component(() => use(channel, "paid", (data) => list.push(data))));
    await eventually(async () => expect((await server.channel(channel).info())?.subscribers).toBe(1));
    await library.trigger(channel, "paid", { id: 1 });
    await eventually(() => expect(heard).toEqual([[{ id: 1 }], [{ id: 1 }]]));
    first?.();
    await library.trigger(channel, "paid", { id: 2 });
    await eventually(() => expect(heard).toEqual([[{ id: 1 }], [{ id: 1 }, { id: 2 }]]));
    second?.();
    await eventually(async () => expect(await server.channel(channel).info()).toBeUndefined());
  });
});

test("every block of JavaScript, React and Vue parses", () => {
  const scripts = [...TEXT.matchAll(/```(?:jsx?|vue)\n([\s\S]*?)```/g)].map(([, script = ""]) => script);
  expect(scripts.length).toBe(8);
  const transpiler = new Bun.Transpiler({ loader: "jsx" });
  for (const script of scripts) {
    const [, inside = script] = /<script setup>([\s\S]*?)<\/script>/.exec(script) ?? [];
    expect(transpiler.transformSync(inside)).toContain("import");
  }
});

describe("the auth endpoint by hand", async () => {
  const { url } = await startExample("auth-endpoint/server.ts", {
    PUSHER_APP_KEY: APP.key,
    PUSHER_APP_SECRET: APP.secret,
  });

  function open(query: string): Pusher {
    const options: Options = {
      cluster: "",
      wsHost: "127.0.0.1",
      wsPort: server.port,
      forceTLS: false,
      enabledTransports: ["ws"],
      enableStats: false,
      channelAuthorization: { transport: "ajax", endpoint: `${url}pusher/auth${query}` },
      userAuthentication: { transport: "ajax", endpoint: `${url}pusher/user-auth${query}` },
    };
    const pusher = new Pusher(APP.key, options);
    atEnd(() => pusher.disconnect());
    return pusher;
  }

  test("lets a user into their own channel and the lobby, signs them in, and is believed", async () => {
    const pusher = open("?user=Ada");
    const own = pusher.subscribe("private-user-ada");
    const lobby = pusher.subscribe("presence-lobby");
    pusher.signin();
    await eventually(() => expect([own.subscribed, lobby.subscribed]).toEqual([true, true]));
    expect(await server.members("presence-lobby")).toMatchObject([{ id: "ada", info: { name: "Ada" } }]);
    const heard: unknown[] = [];
    pusher.user.bind("note", (data: unknown) => heard.push(data));
    await eventually(() => expect(pusher.user.serverToUserChannel?.subscribed).toBe(true));
    await server.toUser("ada").push({ event: "note", data: 1 });
    await eventually(() => expect(heard).toEqual([1]));
  });

  test.each([
    ["?user=Bob", "private-user-ada", 403],
    ["", "presence-lobby", 401],
  ])("refuses %p the channel %s with %d", async (query, name, status) => {
    const refusals: unknown[] = [];
    open(query)
      .subscribe(name)
      .bind("pusher:subscription_error", (error: unknown) => refusals.push(error));
    await eventually(() => expect(refusals).toMatchObject([{ type: "AuthError", status }]));
  });

  test("signs for a socket id only", async () => {
    const body = new URLSearchParams({ socket_id: "1.2:private-other", channel_name: "presence-lobby" });
    for (const path of ["pusher/auth", "pusher/user-auth"]) {
      const { status } = await fetch(`${url}${path}?user=Ada`, { method: "POST", body });
      expect([path, status]).toEqual([path, 400]);
    }
  });
});

test("custom-engine: a client's event goes through the engine of the program", async () => {
  const { url } = await startExample("custom-engine/server.ts");
  const options = { cluster: "", wsHost: "localhost", wsPort: Number(new URL(url).port), forceTLS: false } as const;
  const pusher = new Pusher("custom-key", { ...options, enabledTransports: ["ws"] });
  atEnd(() => pusher.disconnect());
  const channel = pusher.subscribe("room");
  await eventually(() => expect(channel.subscribed).toBe(true));
});
