/** A server of the bench with the generator that loads it, each in its process. */

import type { Contender } from "./contender.ts";
import { APP } from "./credentials.ts";
import type { HttpTransport } from "./http-readers.ts";
import type { Load } from "./load.ts";
import { CHANNEL } from "./message.ts";
import type { Opening } from "./readers.ts";
import { Remote, type RemoteOptions } from "./remote.ts";

export type Kind = "bare" | "optimal" | "pinging" | "pusher" | "native";

export const NAMES: Readonly<Record<Kind, string>> = {
  bare: "bare Bun",
  optimal: "bare Bun, optimal",
  pinging: "bare Bun, pinging",
  pusher: "Fanfare, Pusher",
  native: "Fanfare, native",
};

/** What a client speaks. */
export type Door = Kind | "recover";

export class Pair {
  readonly kind: Kind;
  readonly port: number;
  readonly server: Remote<Contender>;
  readonly load: Remote<Load>;

  private constructor(kind: Kind, port: number, server: Remote<Contender>, load: Remote<Load>) {
    this.kind = kind;
    this.port = port;
    this.server = server;
    this.load = load;
  }

  /** `config` is what is set differently in Fanfare, `more` how its process runs. */
  static async start(kind: Kind, config: object = {}, more: Omit<RemoteOptions, "args"> = {}): Promise<Pair> {
    const server =
      kind !== "pusher" && kind !== "native"
        ? new Remote<Contender>("./baseline.ts", { ...more, args: [kind] })
        : new Remote<Contender>("./program.ts", { ...more, args: [kind, JSON.stringify(config)] });
    return new Pair(kind, await server.call("start"), server, new Remote<Load>("./load.ts"));
  }

  /** Until there are so many clients, all of them in the channel. `{pair}` in its name stands for every two of them. */
  async open(count: number, door: Door = this.kind, channel = CHANNEL): Promise<void> {
    await this.load.call("open", { port: this.port, count, ...doorOf(door, channel) });
  }

  /** The same by HTTP. */
  async openHttp(transport: HttpTransport, count: number): Promise<void> {
    await this.load.call("openHttp", { port: this.port, transport, channel: CHANNEL, count });
  }

  /** The server's CPU time while that is done, in microseconds. */
  async cpuUs(work: () => Promise<unknown>): Promise<number> {
    const before = await this.server.call("cpuUs");
    await work();
    return (await this.server.call("cpuUs")) - before;
  }

  async end(): Promise<void> {
    await Promise.all([this.load.end(), this.server.end()]);
  }
}

/** Starts one pair of each kind, and ends them however the work ends. */
export async function withPairs<T>(kinds: readonly Kind[], work: (pairs: readonly Pair[]) => Promise<T>): Promise<T> {
  const pairs = await Promise.all(kinds.map((kind) => Pair.start(kind)));
  try {
    return await work(pairs);
  } finally {
    await Promise.all(pairs.map((pair) => pair.end()));
  }
}

/** How a client of that kind gets into the channel. */
export function doorOf(door: Door, channel: string): Pick<Opening, "path" | "hello" | "setupFrames"> {
  switch (door) {
    case "bare":
    case "optimal":
    case "pinging":
      return { path: `/?topic=${channel}`, setupFrames: 0 };
    case "pusher":
    case "recover": {
      const hello = JSON.stringify({ event: "pusher:subscribe", data: { channel } });
      const more = door === "recover" ? "&recover=1" : "";
      return { path: `/app/${APP.key}?protocol=7&client=bench&version=1.0${more}`, hello, setupFrames: 2 };
    }
    case "native":
      return { path: "/", hello: JSON.stringify({ event: "subscribe", data: { channel } }), setupFrames: 2 };
  }
}
