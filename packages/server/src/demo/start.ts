/** What a developer sees at the printed address of a server with apps of its own: that it runs, and where clients connect. */

import { join } from "node:path";
import { placeOf, showPage } from "./demo.ts";
import { escaped, type Page, styles } from "./page.ts";

export interface StartOptions {
  /** The configured prefix of every path. */
  readonly path: string;
  /** The dashboard's path; undefined where there is none. */
  readonly dashboard: string | undefined;
}

/** Answers for the page, and leaves every other request to others. */
export function startRoute({ path, dashboard }: StartOptions) {
  let template: Promise<string> | undefined;
  return (request: Request, { pathname, protocol, host }: URL): Response | Promise<Response> | undefined => {
    const place = placeOf(pathname, path);
    if (place !== "" && place !== "/") return undefined;
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { Allow: "GET, HEAD" } });
    }
    if (place === "") return new Response(null, { status: 308, headers: { Location: `${path}/` } });
    const prefix = pathname.slice(0, -1);
    template ??= load();
    const facts = {
      api: `${protocol}//${host}${prefix}`,
      socket: `${protocol.replace("http", "ws")}//${host}${prefix}`,
      dashboard: dashboard === undefined ? "" : linkTo(dashboard),
    };
    return template.then((html) => showPage(pageOf(html, facts)));
  };
}

/** Without the key to it: whoever sees this page need not be who started the server. */
function linkTo(dashboard: string): string {
  const link = `<a href=".${escaped(dashboard)}/">dashboard</a>`;
  return `<p>The ${link} shows what happens. <code>fanfare dashboard</code> prints its address with the key to it.</p>`;
}

function pageOf(
  html: string,
  { api, socket, dashboard }: Readonly<Record<"api" | "socket" | "dashboard", string>>,
): Page {
  const parts: Readonly<Record<string, string>> = { api: escaped(api), socket: escaped(socket), dashboard };
  const whole = html.replaceAll(/\{\{(\w+)\}\}/g, (mark, name) => parts[name] ?? mark);
  return (nonce) => whole.replaceAll('nonce=""', `nonce="${nonce}"`);
}

async function load(): Promise<string> {
  const [html, css] = await Promise.all([Bun.file(join(import.meta.dir, "start.html")).text(), styles(STYLES)]);
  return html.replace("/*css*/", () => css);
}

const STYLES = ["base.css", "start.css"];
