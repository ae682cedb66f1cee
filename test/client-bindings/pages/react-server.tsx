/** @jsxImportSource react */
/** The stage as a server renders it: at once, or as a stream. */

import { renderToReadableStream, renderToString } from "react-dom/server.browser";
import type { Scene } from "../stage.ts";
import { client } from "./client.ts";
import { Stage } from "./react.tsx";

export const atOnce = (scene: Scene): string => renderToString(<Stage {...scene} />);

export const streamed = async (scene: Scene): Promise<string> =>
  await new Response(await renderToReadableStream(<Stage {...scene} />)).text();

/** Rendering has connected nothing. */
export const stateOfClient = () => client.snapshot.state;
