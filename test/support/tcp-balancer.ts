/** A balancer of TCP connections as operators put in front of several nodes: each new one goes where it says. */

import { createServer, connect as dial, type Socket } from "node:net";
import { atEnd } from "./at-end.ts";

export type Choice = "least connections" | "in turn" | "sticky";

export interface TcpBalancer {
  readonly port: number;
  /** One more server. */
  add(target: number): void;
}

/** `sticky`: whoever comes gets the first. Ends with the test, or with the file at its top level. */
export async function startTcpBalancer(targets: readonly number[], choice: Choice): Promise<TcpBalancer> {
  const open = new Map(targets.map((target) => [target, 0]));
  const sockets = new Set<Socket>();
  let turn = 0;
  const pick = (): number => {
    const all = [...open.keys()];
    if (choice === "in turn") return all[turn++ % all.length] ?? 0;
    const least = [...open].sort(([, one], [, other]) => one - other)[0]?.[0];
    return (choice === "sticky" ? all[0] : least) ?? 0;
  };
  const server = createServer((near) => {
    const target = pick();
    open.set(target, (open.get(target) ?? 0) + 1);
    const far = dial(target, "127.0.0.1");
    for (const socket of [near, far]) sockets.add(socket);
    near.pipe(far).pipe(near);
    const over = () => {
      if (!sockets.delete(near)) return;
      sockets.delete(far);
      open.set(target, (open.get(target) ?? 1) - 1);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) socket.on("close", over).on("error", over);
  });
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  atEnd(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    add: (target) => void open.set(target, 0),
  };
}
