/** A line to a server that can be pulled without a word to either side: a network of its own, or a proxy that swallows all where there is no right to make one. */

import { atEnd } from "./at-end.ts";
import { external } from "./external.ts";
import { startProxy } from "./tcp-proxy.ts";

const IP = external("ip");

export interface Line {
  /** Where the server is, seen from the other end. */
  readonly url: string;
  /** What a program is started with at the other end. */
  readonly before: readonly string[];
  /** No packet gets through any more, in either direction, and nobody is told. */
  pull(): void;
}

/** To a server that listens on every address. Ends with the test. */
export async function startLine(port: number): Promise<Line> {
  return networkTo(port) ?? (await proxyTo(port));
}

function networkTo(port: number): Line | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const mark = crypto.randomUUID().slice(0, 6);
  const [space, near, far] = [`ff-${mark}`, `ffa-${mark}`, `ffb-${mark}`];
  const [low = 0, high = 0] = crypto.getRandomValues(new Uint8Array(2));
  const net = `10.${200 + (low % 50)}.${high}`;
  const inside = ["netns", "exec", space, IP];
  const steps = [
    ["netns", "add", space],
    ["link", "add", near, "type", "veth", "peer", "name", far],
    ["link", "set", far, "netns", space],
    ["addr", "add", `${net}.1/30`, "dev", near],
    ["link", "set", near, "up"],
    [...inside, "addr", "add", `${net}.2/30`, "dev", far],
    [...inside, "link", "set", far, "up"],
  ];
  const end = () => {
    ip(["link", "del", near]);
    ip(["netns", "del", space]);
  };
  if (!steps.every(ip)) {
    end();
    return undefined;
  }
  atEnd(end);
  return {
    url: `http://${net}.1:${port}`,
    before: [IP, "netns", "exec", space],
    // The far end: on the near one, packets would look for another way.
    pull: () => {
      if (!ip([...inside, "link", "set", far, "down"])) throw new Error("The line could not be pulled.");
    },
  };
}

async function proxyTo(port: number): Promise<Line> {
  const proxy = await startProxy(port);
  return { url: `http://127.0.0.1:${proxy.port}`, before: [], pull: () => proxy.swallow() };
}

function ip(args: readonly string[]): boolean {
  return Bun.spawnSync([IP, ...args], { stdio: ["ignore", "ignore", "ignore"] }).success;
}
