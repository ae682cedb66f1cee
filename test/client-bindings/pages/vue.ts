/** The stage in Vue. Also imported on the server, where it only renders. */

// biome-ignore-all lint/correctness/useHookAtTopLevel: a composable of Vue may be called in any branch.

import { fanfare, useChannel, useConnection, useEvent, useEvents, useLive, useMembers } from "@fanfare/client/vue";
import {
  type App,
  createApp,
  createSSRApp,
  defineComponent,
  effectScope,
  h,
  KeepAlive,
  ref,
  shallowReactive,
} from "vue";
import type { Part, Scene, StageWindow } from "../stage.ts";
import { client, counts, cut, liveOptions, textOf } from "./client.ts";

/** What a part shows, as a function to be called while it renders. */
function use(part: Part): () => string {
  // A getter: another name is another channel.
  const name = () => part.name ?? null;
  const { rewind = false } = part;
  switch (part.kind) {
    case "connection": {
      const connection = useConnection();
      return () => connection.value.state;
    }
    case "channel": {
      const { state } = useChannel(name);
      return () => state.value;
    }
    case "event": {
      const heard = ref("");
      useEvent(
        name,
        "said",
        (data) => {
          heard.value += `${part.label ?? ""}${data} `;
        },
        { rewind },
      );
      return () => heard.value.trim();
    }
    case "events": {
      const events = useEvents(name, "said", { keep: 1_000, rewind });
      return () => textOf(events.value);
    }
    case "members": {
      const { members } = useMembers(name);
      return () => members.value.map(({ id }) => id).join(" ");
    }
    case "live": {
      const { value, status } = useLive(name, liveOptions);
      return () => `${status.value}: ${value.value?.join(" ")}`;
    }
  }
}

const OnePart = defineComponent({
  props: ["id", "kind", "name", "label", "rewind", "suspense"],
  setup(props) {
    const text = use(props as Part);
    return () => h("p", { id: props.id }, text());
  },
});

const Parts = defineComponent({
  props: ["parts"],
  setup: (props: { parts: readonly Part[] }) => () => props.parts.map((part) => h(OnePart, { key: part.id, ...part })),
});

export function makeApp(scene: Scene, make: typeof createApp): App {
  return make(() => h(KeepAlive, null, () => (scene.isHidden ? null : h(Parts, { parts: scene.parts })))).use(
    fanfare(client),
  );
}

if (typeof document !== "undefined") {
  const element = document.querySelector("#root") as HTMLElement;
  let scene: { -readonly [K in keyof Scene]: Scene[K] } | undefined;
  const stopScope: (() => void)[] = [];
  Object.assign(window, {
    render(next: Scene) {
      if (scene) Object.assign(scene, { isHidden: false, ...next });
      else {
        scene = shallowReactive({ ...next });
        makeApp(scene, element.hasChildNodes() ? createSSRApp : createApp).mount(element);
      }
    },
    unmount: () => scene && Object.assign(scene, { parts: [] }),
    cut,
    counts,
    get loads() {
      return counts.loads;
    },
    /** Outside of components: in an effect scope, whose end ends it. */
    openScope(name: string) {
      const app = createApp({}).use(fanfare(client));
      const scope = effectScope();
      const events = app.runWithContext(() => scope.run(() => useEvents(name, "said", { keep: 10 })));
      stopScope.push(() => scope.stop());
      return () => textOf(events?.value ?? []);
    },
    closeScopes() {
      for (const stop of stopScope) stop();
    },
  } satisfies StageWindow & Record<string, unknown>);
}
