/** A proxy as in deploy/, before two nodes. */

import { makeCertificate, startProxy } from "./proxy.ts";

/** Its address. Ends with the test. */
export async function startBalancer(proxy: "HAProxy" | "nginx", ports: readonly [number, number]): Promise<string> {
  const [one, two] = ports;
  const at = (name: string, port: number) => `server ${name} 127.0.0.1:${port} check inter 500ms rise 1 fall 1`;
  const in_ = (port: number) => `server 127.0.0.1:${port} max_fails=0;`;
  const changes = {
    HAProxy: {
      [`server fanfare1 127.0.0.1:${one} check inter 2s`]: `balance leastconn\n    option redispatch\n    retries 3\n    ${at("one", one)}\n    ${at("two", two)}`,
    },
    nginx: { [`server 127.0.0.1:${one};`]: `least_conn;\n    ${in_(one)}\n    ${in_(two)}` },
  }[proxy];
  const certificate = await makeCertificate();
  const { url } = await startProxy(proxy, { upstreamPort: one, certificate, connections: 9_800, changes });
  return url;
}
