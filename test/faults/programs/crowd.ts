/**
 * Many listeners in a process of their own, so that the test's own clients are not in their way. Its settings come in CROWD. Prints
 * `ready` when all are subscribed, `back N` when each has come back N times; on SIGUSR2 writes what all heard to `report.json`
 * and prints `reported N`.
 */

import { writeFileSync } from "node:fs";
import type { CrowdReport, CrowdSettings } from "../crowd.ts";
import { expectInOrder, Listener } from "../listener.ts";

const { CROWD = "{}" } = process.env;
const { count, channels, pusherShare, first, later }: CrowdSettings = JSON.parse(CROWD);
const AT_ONCE = 100;

const listeners = Array.from({ length: count }, (_, n) => {
  const language = Math.floor(n / channels.length) % 10 < pusherShare * 10 ? "pusher" : "native";
  return new Listener(language, channels[n % channels.length] ?? "", (attempt) => (attempt === 0 ? first : later));
});
let backs = 0;
let reports = 0;

process.on("SIGUSR2", () => {
  writeFileSync("report.json", JSON.stringify(report()));
  console.log(`reported ${++reports}`);
});

for (let n = 0; n < listeners.length; n += AT_ONCE) {
  const some = listeners.slice(n, n + AT_ONCE);
  for (const listener of some) listener.open();
  while (some.some(({ isListening }) => !isListening)) await Bun.sleep(5);
}
console.log("ready");
setInterval(() => {
  if (listeners.every(({ isListening, awayMs }) => isListening && awayMs.length > backs))
    console.log(`back ${++backs}`);
}, 10);

function report(): CrowdReport {
  const natives = listeners.filter(({ language }) => language === "native");
  const heard = Object.fromEntries(
    channels.map((channel) => [channel, natives.find((native) => native.channel === channel)?.heard ?? []]),
  );
  return {
    heard,
    heardOtherwise: natives.filter((native) => native.heard.join() !== heard[native.channel]?.join()).length,
    disordered: listeners.flatMap(disorderOf),
    codes: [...new Set(listeners.flatMap(({ closes }) => closes))].sort(),
    neverAway: listeners.filter(({ closes }) => closes.length === 0).length,
    awayMs: listeners.flatMap(({ awayMs }) => awayMs).sort((a, b) => a - b),
    holed: listeners.filter((listener) => holesIn(listener, heard[listener.channel] ?? []) > listener.closes.length)
      .length,
    gaps: listeners.reduce((sum, { gaps }) => sum + gaps, 0),
    unrecovered: natives.filter(({ closes, recovered }) => recovered.join() !== closes.map(() => true).join()).length,
  };
}

/** Where something is missing that was heard by another. */
function holesIn({ heard }: Listener, all: readonly string[]): number {
  const places = new Map(all.map((said, place) => [said, place]));
  const ends = [-1, ...heard.map((said) => places.get(said) ?? -1), all.length];
  return ends.slice(1).filter((place, n) => place !== (ends[n] ?? 0) + 1).length;
}

function disorderOf({ heard }: Listener): readonly string[] {
  try {
    expectInOrder(heard);
    return [];
  } catch (error) {
    return [String(error)];
  }
}
