/** A server of the bench with the generator that loads it, each in its process. */

import type { Contender } from "./contender.ts";
import { APP } from "./credentials.ts";
import type { Load } from "./load.ts";
import { CHANNEL } from "./message.ts";
import type { Opening } from "./readers.ts";
import { Remote } from "./remote.ts";

export type Kind = "bare" | "pusher" | "native";

export const NAMES: Readonly<Record<Kind, string>> = {
  bare: "bare Bun",
  pusher: "Fanfare, Pusher",
  native: "Fanfare, native",
};

type Door = Pick<Opening, "path" | "hello" | "setupFrames">;

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

  static async start(kind: Kind): Promise<Pair> {
    const server =
      kind === "bare"
        ? new Remote<Contender>("./baseline.ts")
        : new Remote<Contender>("./program.ts", { args: [kind] });
    return new Pair(kind, await server.call("start"), server, new Remote<Load>("./load.ts"));
  }

  /** Until there are so many clients, all of them in the channel. `{pair}` in its name stands for every two of them. */
  async open(count: number, channel = CHANNEL): Promise<void> {
    await this.load.call("open", { port: this.port, count, ...doorOf(this.kind, channel) });
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
export function doorOf(kind: Kind, channel: string): Door {
  switch (kind) {
    case "bare":
      return { path: `/?topic=${channel}`, setupFrames: 0 };
    case "pusher": {
      const hello = JSON.stringify({ event: "pusher:subscribe", data: { channel } });
      return { path: `/app/${APP.key}?protocol=7&client=bench&version=1.0`, hello, setupFrames: 2 };
    }
    case "native":
      return { path: "/", hello: JSON.stringify({ event: "subscribe", data: { channel } }), setupFrames: 2 };
  }
}
