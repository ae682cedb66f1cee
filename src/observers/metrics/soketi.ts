/** The numbers under the names that soketi gives them, so that dashboards and alerts made for it go on working. */

import { Counter, Gauge, type Registry } from "prom-client";
import type { Labels } from "./labels.ts";
import type { AppVitals } from "./vitals.ts";

type Key = "messagesIn" | "messagesOut" | "bytesIn" | "bytesOut" | "apiMessages";

const TOTALS: readonly (readonly [string, string, Key])[] = [
  ["soketi_ws_messages_received_total", "Frames from clients.", "messagesIn"],
  ["soketi_ws_messages_sent_total", "Frames to clients.", "messagesOut"],
  ["soketi_socket_received_bytes", "Bytes in frames from clients.", "bytesIn"],
  ["soketi_socket_transmitted_bytes", "Bytes in frames to clients.", "bytesOut"],
  ["soketi_http_calls_received_total", "Signed calls of the HTTP API.", "apiMessages"],
];

export function addSoketiNames(registry: Registry, look: () => Promise<readonly AppVitals[]>, labels: Labels): void {
  for (const [name, help, key] of TOTALS) {
    new Counter({
      name,
      help,
      labelNames: ["app_id"],
      registers: [registry],
      async collect() {
        const apps = await look();
        this.reset();
        for (const app of apps) this.inc({ app_id: labels.app(app.id) }, app[key]);
      },
    });
  }
  new Gauge({
    name: "soketi_connected",
    help: "Connections that are open.",
    labelNames: ["app_id"],
    registers: [registry],
    async collect() {
      const apps = await look();
      this.reset();
      for (const { id, connections } of apps) this.inc({ app_id: labels.app(id) }, connections);
    },
  });
}
