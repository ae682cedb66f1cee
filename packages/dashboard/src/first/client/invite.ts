/** How others come onto the board: by the page's address, as a QR code that a phone can reach. */

import { correction, generate } from "lean-qr";
import { draw, find, make } from "./dom.ts";

/** Addresses that only this machine has. */
const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\])$/;
/** White around the code, as its standard asks for. */
const QUIET = 2;

/** `addresses`: of the machine, where the server listens on all of them. */
export function showInvitation(page: URL, addresses: readonly string[]): void {
  const address = reachable(page, addresses);
  const box = find("#qr", HTMLElement);
  const text = find("#invite-text", HTMLElement);
  box.hidden = address === undefined;
  if (address === undefined) {
    text.textContent =
      "Only this machine reaches the server. Start it with --host 0.0.0.0, and a phone in your network can join.";
    return;
  }
  box.replaceChildren(qrOf(address));
  const link = make("a", "", address.replace(/^https?:\/\//, ""));
  link.href = address;
  find("#invite-address", HTMLElement).replaceChildren(link);
}

function reachable(page: URL, [first]: readonly string[]): string | undefined {
  const address = new URL(page.pathname, page);
  if (!LOOPBACK.test(page.hostname)) return address.href;
  if (first === undefined) return undefined;
  address.hostname = first;
  return address.href;
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
