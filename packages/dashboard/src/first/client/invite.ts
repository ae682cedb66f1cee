/** How others come onto the board: by the page's address, as a QR code that a phone can reach. */

import { correction, generate } from "lean-qr";
import { draw, find, make } from "./dom.ts";

/** Addresses that only this machine has. */
const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\])$/;
/** White around the code, as its standard asks for. */
const QUIET = 2;

/** `hosts`: the machine's addresses, where the server listens on all of them. Which of them a phone reaches, only people know. */
export function showInvitation(page: URL, hosts: readonly string[]): void {
  const isLocal = LOOPBACK.test(page.hostname);
  const wanted = isLocal ? hosts : [page.hostname];
  const [first] = wanted;
  find("#qr", HTMLElement).hidden = first === undefined;
  if (first === undefined) {
    find("#invite-text", HTMLElement).textContent =
      "Only this machine reaches the server. Start it with --host 0.0.0.0, and a phone in your network can join.";
    return;
  }
  show(page, first);
  if (wanted.length > 1)
    find("#invite-hosts", HTMLElement).replaceChildren(choiceOf(wanted, (host) => show(page, host)));
}

function choiceOf(hosts: readonly string[], choose: (host: string) => void): HTMLElement {
  const select = make("select", "", ...hosts.map((host) => make("option", "", host)));
  select.addEventListener("change", () => choose(select.value));
  return make("label", "", "By another of its addresses: ", select);
}

function show(page: URL, host: string): void {
  const url = new URL(page.pathname, page);
  url.hostname = host;
  const address = url.href;
  find("#qr", HTMLElement).replaceChildren(qrOf(address));
  const link = make("a", "", address.replace(/^https?:\/\//, ""));
  link.href = address;
  find("#invite-address", HTMLElement).replaceChildren(link);
}

function qrOf(text: string): SVGElement {
  const code = generate(text, { minCorrectionLevel: correction.M });
  const side = code.size + 2 * QUIET;
  const svg = draw("svg", {
    viewBox: `${-QUIET} ${-QUIET} ${side} ${side}`,
    "shape-rendering": "crispEdges",
    role: "img",
  });
  svg.setAttribute("aria-label", `QR code of ${text}`);
  const dots = [];
  for (let y = 0; y < code.size; y++)
    for (let x = 0; x < code.size; x++) if (code.get(x, y)) dots.push(`M${x},${y}h1v1h-1z`);
  svg.append(
    draw("rect", { x: -QUIET, y: -QUIET, width: side, height: side, fill: "#fff" }),
    draw("path", { d: dots.join(""), fill: "#000" }),
  );
  return svg;
}
