/** Where webhooks go in the fault tests: what came, and the settings that send it here. */

import { atEnd } from "../support/at-end.ts";
import type { ClusterOptions } from "../support/cluster.ts";

export interface Hook {
  readonly name: string;
  readonly channel: string;
  readonly user_id?: string;
  readonly event?: string;
  readonly data?: string;
}

/** Ends with the test. Departures are told 0.2 s later. */
export function startReceiver() {
  /** In the order in which they came. */
  const hooks: Hook[] = [];
  const receiver = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      hooks.push(...((await request.json()) as { events: Hook[] }).events);
      return new Response("ok");
    },
  });
  atEnd(() => receiver.stop(true));
  const options: ClusterOptions = {
    config: { webhooks: { allowPrivate: true, leaveDelayS: 0.2 } },
    app: { webhooks: [{ url: `http://127.0.0.1:${receiver.port}/` }] },
  };
  /** As `name channel user`, sorted. */
  const told = (...names: readonly string[]): readonly string[] =>
    hooks
      .filter(({ name }) => names.includes(name))
      .map(({ name, channel, user_id = "" }) => `${name} ${channel} ${user_id}`.trim())
      .sort();
  return { hooks, told, options };
}
