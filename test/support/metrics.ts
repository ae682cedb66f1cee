/** What `/metrics` answers, read. */

import { expect } from "bun:test";

/** `name{label=value,…}` to its number, labels in alphabetical order. */
export type Samples = ReadonlyMap<string, number>;

export async function scrape(url: string, withinMs = 30_000): Promise<Samples> {
  const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(withinMs), keepalive: false });
  expect(answer.status).toBe(200);
  return samplesOf(await answer.text());
}

/** Throws at a line that is none of the format's. */
export function samplesOf(text: string): Samples {
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const [, name, labels = "", value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined || !isNumber(value)) throw new Error(`Not a sample: ${line}`);
    const pairs = Array.from(labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g), ([, key, quoted]) => {
      return `${key}=${quoted?.replace(/\\(.)/g, (_, one) => (one === "n" ? "\n" : one))}`;
    });
    const key = pairs.length === 0 ? name : `${name}{${pairs.sort().join(",")}}`;
    if (samples.has(key)) throw new Error(`Twice: ${key}`);
    samples.set(key, Number(value));
  }
  return samples;
}

function isNumber(text: string | undefined): boolean {
  return (
    text !== undefined &&
    (text.toLowerCase() === "nan" || text === "+Inf" || text === "-Inf" || Number.isFinite(Number(text)))
  );
}
