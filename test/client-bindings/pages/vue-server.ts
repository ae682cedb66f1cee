/** The stage as a server renders it. */

import { createSSRApp } from "vue";
import { renderToString } from "vue/server-renderer";
import type { Scene } from "../stage.ts";
import { client } from "./client.ts";
import { makeApp } from "./vue.ts";

export const atOnce = (scene: Scene): Promise<string> => renderToString(makeApp(scene, createSSRApp));

/** Rendering has connected nothing. */
export const stateOfClient = () => client.snapshot.state;
