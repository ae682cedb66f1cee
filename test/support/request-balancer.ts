/** A balancer that sends each request to the next server, whosever it is: what no session survives that is bound to one. */

import { createServer, request as dial, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { atEnd } from "./at-end.ts";

export interface RequestBalancer {
  readonly port: number;
  /** How many requests each server was given. */
  readonly given: readonly number[];
  /** Resolves when no request has come for so long. */
  quiet(forMs: number): Promise<void>;
  stop(): void;
}

/** Buffers nothing, and passes on when either side hangs up. */
export async function startRequestBalancer(targets: readonly number[], port = 0): Promise<RequestBalancer> {
  const given = targets.map(() => 0);
  let next = 0;
  let lastAtMs = performance.now();
  const quiet = async (forMs: number) => {
    while (performance.now() - lastAtMs < forMs) await Bun.sleep(10);
  };
  const pass = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    lastAtMs = performance.now();
    const to = next++ % targets.length;
    given[to] = (given[to] ?? 0) + 1;
    const { method, url: path, headers } = incoming;
    const upstream = dial({ host: "127.0.0.1", port: targets[to], method, path, headers, agent: false }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      outgoing.flushHeaders();
      answer.pipe(outgoing);
      answer.on("error", () => outgoing.destroy());
    });
    upstream.on("error", () => outgoing.destroy());
    outgoing.on("close", () => upstream.destroy());
    incoming.pipe(upstream);
  };
  const server = createServer(pass);
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  atEnd(stop);
  return { port: (server.address() as AddressInfo).port, given, quiet, stop };
}
