/** The stage in Svelte. */

import { hydrate, mount } from "svelte";
import type { Scene, StageWindow } from "../stage.ts";
import { counts, cut } from "./client.ts";
import Root from "./Root.svelte";

const element = document.querySelector("#root") as HTMLElement;
let root: { setScene(scene: Scene): void } | undefined;
Object.assign(window, {
  render(scene: Scene) {
    const make = element.hasChildNodes() ? hydrate : mount;
    if (root) root.setScene(scene);
    else root = make(Root, { target: element, props: { first: scene } }) as unknown as typeof root;
  },
  unmount: () => root?.setScene({ parts: [] }),
  cut,
  counts,
  get loads() {
    return counts.loads;
  },
} satisfies StageWindow & Record<string, unknown>);
