/**
 * `npm run bench:peers`: Fanfare beside bare Bun, Socket.IO and whatever other servers it is given, on the same work. A peer is given
 * by the command that starts it, in which `{port}` and, where several of it share a Redis, `{redis}` are replaced, or by the address
 * where it runs. It needs an app with the id `bench`, the key `bench-key` and the secret `bench-secret`, and limits that let a thousand
 * triggers a second pass; a Centrifugo needs `bench-secret` as its API key, anonymous clients that may subscribe to anything, and pings
 * off. soketi 1.6 is on npm but for uWebSockets.js, whose program files `@btc-vision/uwebsockets.js` brings there: an override in the
 * package.json of an empty folder puts it in that place. `--about` is a sentence for the reader of the tables: the peers' versions, and
 * what else the machine did.
 */

import { readFileSync } from "node:fs";
import { version as socketIoVersion } from "socket.io/package.json";
import { ALWAYS, GIVEN } from "./peers/kinds.ts";
import type { Peer } from "./peers/peer.ts";
import { latency } from "./peers/sections/latency.ts";
import { nodes } from "./peers/sections/nodes.ts";
import { rest } from "./peers/sections/rest.ts";
import { triggers } from "./peers/sections/triggers.ts";
import { run } from "./run.ts";

const { peers, about, args } = readPeers(process.argv.slice(2));

process.exitCode = await run({
  args,
  command: `npm run bench:peers --${Object.keys(GIVEN)
    .map((name) => ` [--${name} COMMAND|URL]`)
    .join("")} [--about TEXT]`,
  title: "Fanfare and its peers",
  note: [
    "Servers and load generator are processes of their own that share these cores; all get the same requests and the same readers.",
    "Each figure is the median of rounds in which the servers take turns. Bare Bun, Fanfare and the servers of the Pusher protocol",
    "verify each call's signature, Centrifugo a key; Socket.IO checks nothing. A server that closes the connection after each answer,",
    `as soketi does, is called by a new one each time. Socket.IO ${socketIoVersion}, Node ${nodeVersion()}.`,
    ...about,
  ].join("\n"),
  appendix: readFileSync(new URL("peers/earlier-run.md", import.meta.url), "utf8"),
  sections: { triggers: triggers(peers), latency: latency(peers), rest: rest(peers), nodes: nodes(peers) },
  efforts: {
    full: { rounds: 5, forMs: 1_000, subscribers: [1, 5, 15, 100, 1_000], connections: [10_000] },
    quick: { rounds: 1, forMs: 500, subscribers: [1, 15, 1_000], connections: [2_000] },
    // Shows that everything runs; says nothing about speed.
    tiny: { rounds: 1, forMs: 300, subscribers: [1, 20], connections: [60] },
  },
});

function nodeVersion(): string {
  return Bun.spawnSync(["node", "--version"]).stdout.toString().trim().replace(/^v/, "");
}

/** Takes out of what was typed what is not for the bench itself. */
function readPeers(typed: readonly string[]): { peers: Peer[]; about: string[]; args: string[] } {
  const found = [...ALWAYS];
  const about: string[] = [];
  const left: string[] = [];
  for (let at = 0; at < typed.length; at++) {
    const word = typed[at] ?? "";
    const make = GIVEN[word.replace(/^--/, "") as keyof typeof GIVEN];
    const where = typed[at + 1];
    if (where === undefined || (make === undefined && word !== "--about")) left.push(word);
    else {
      if (make === undefined) about.push(where);
      else found.push(make(where));
      at++;
    }
  }
  return { peers: found, about, args: left };
}
