/** Ports of this machine that no program listens on at the moment. */

import { createServer } from "node:net";

/** One that is free, and with an offset the one that much higher, too. */
export async function freePort(offset = 0): Promise<number> {
  while (true) {
    const port = await portOf(0);
    if (offset === 0) return port;
    const low = port > 65_535 - offset ? port - offset : port;
    if ((await isFree(low)) && (await isFree(low + offset))) return low;
  }
}

/** All at once, so that none is given out twice. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const holders = await Promise.all(
    Array.from({ length: count }, async () => {
      const holder = createServer();
      await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
      return holder;
    }),
  );
  const ports = holders.map((holder) => {
    const address = holder.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(holders.map((holder) => new Promise((resolve) => holder.close(resolve))));
  return ports;
}

export async function isFree(port: number): Promise<boolean> {
  try {
    await portOf(port);
    return true;
  } catch {
    return false;
  }
}

function portOf(port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer();
  server.once("error", reject);
  server.listen(port, "127.0.0.1", () => {
    const address = server.address();
    server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
  });
  return promise;
}
