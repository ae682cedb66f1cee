/** What the tests' page runs: Echo with `recover`, alone and in the hooks of React and Vue. */

import { configureEcho as configureReact, useEchoPublic as useReact } from "@laravel/echo-react";
import { configureEcho as configureVue, useEchoPublic as useVue } from "@laravel/echo-vue";
import Echo from "laravel-echo";
import Pusher from "pusher-js";
import { createElement, StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { createApp, h, ref } from "vue";
import { batchAuthorizer, recover } from "../../../packages/client/src/pusher/index.ts";

const { search } = location;
const query = new URLSearchParams(search);
const channel = query.get("channel") ?? "";
const log: unknown[] = [];
Object.assign(window, { log });

recover(Pusher, { retry: { minMs: 50, maxMs: 400 }, onGap: (...[name, reason]) => log.push(["gap", name, reason]) });
const options = {
  broadcaster: "pusher" as const,
  Pusher,
  key: query.get("key") ?? "",
  cluster: "mt1",
  wsHost: "127.0.0.1",
  wsPort: Number(query.get("port")),
  forceTLS: false,
  enabledTransports: ["ws", "wss"] as ("ws" | "wss")[],
  channelAuthorization: { customHandler: batchAuthorizer({ endpoint: "/auth" }) },
};

function List() {
  const [numbers, setNumbers] = useState<readonly number[]>([]);
  useReact<number>(channel, ".number", (number) => setNumbers((before) => [...before, number]));
  return createElement("p", { id: "heard" }, numbers.join(" "));
}

const pages: Readonly<Record<string, () => void>> = {
  echo() {
    const echo = new Echo(options);
    const joined = query.has("private") ? echo.private(channel) : echo.channel(channel);
    joined
      .listen(".number", (data: unknown) => log.push(data))
      .listen(".fanfare:recovered", () => log.push("recovered"))
      .listen(".fanfare:gap", () => log.push("gap"));
    const { connection } = echo.connector.pusher;
    connection.bind("failed", () => log.push("failed"));
    Object.assign(window, { isSubscribed: () => joined.subscription.subscribed, stateOf: () => connection.state });
  },
  react() {
    configureReact(options);
    const root = document.createElement("div");
    document.body.append(root);
    createRoot(root).render(createElement(StrictMode, null, createElement(List)));
  },
  vue() {
    configureVue(options);
    const setup = () => {
      const numbers = ref<number[]>([]);
      useVue<number>(channel, ".number", (number) => numbers.value.push(number));
      return () => h("p", { id: "heard" }, numbers.value.join(" "));
    };
    const root = document.createElement("div");
    document.body.append(root);
    createApp({ setup }).mount(root);
  },
};
pages[query.get("page") ?? ""]?.();
