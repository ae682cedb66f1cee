/** The stage as a server renders it. */

import { render } from "svelte/server";
import type { Scene } from "../stage.ts";
import { client } from "./client.ts";
import Root from "./Root.svelte";

export const atOnce = (first: Scene): string => render(Root, { props: { first } }).body;

/** Rendering has connected nothing. */
export const stateOfClient = () => client.snapshot.state;
