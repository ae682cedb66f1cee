/** The page, put together from its parts once: one document with everything in it, so that it needs no other address. */

import { join } from "node:path";

export interface PageFacts {
  readonly appId: string;
  readonly appKey: string;
  /** Where the secret is to be found; the secret itself is not on the page. */
  readonly secretFile: string;
}

/** Writes the document for one request: the nonce is what lets its own style and script run, and nothing else. */
export type Page = (nonce: string) => string;

const FOLDER = import.meta.dir;
/** In this order: later ones have the last word. */
const STYLES = ["base.css", "talk.css", "learn.css", "small.css"];

export async function loadPage(facts: PageFacts): Promise<Page> {
  const [html, css, script] = await Promise.all([text("page.html"), styles(STYLES), clientScript()]);
  const parts: Readonly<Record<string, string>> = {
    css,
    // The only text that could end the script's element early.
    script: script.replaceAll(/<\/(?=script)/gi, "<\\/"),
    appId: escaped(facts.appId),
    appKey: escaped(facts.appKey),
    secretFile: escaped(facts.secretFile),
  };
  const whole = html.replaceAll(/\{\{(\w+)\}\}|\/\*(\w+)\*\//g, (mark, a, b) => parts[String(a ?? b)] ?? mark);
  return (nonce) => whole.replaceAll('nonce=""', `nonce="${nonce}"`);
}

function text(name: string): Promise<string> {
  return Bun.file(join(FOLDER, name)).text();
}

export async function styles(names: readonly string[]): Promise<string> {
  const parts = await Promise.all(names.map((name) => text(join("style", name))));
  return parts.join("\n");
}

async function clientScript(): Promise<string> {
  const entrypoints = [join(FOLDER, "client", "main.ts")];
  const { outputs } = await Bun.build({ entrypoints, target: "browser", minify: true });
  const [output] = outputs;
  if (!output) throw new Error("The demo page's script came to nothing.");
  return await output.text();
}

export function escaped(value: string): string {
  return value.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
