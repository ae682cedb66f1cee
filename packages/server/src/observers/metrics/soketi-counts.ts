/** What only soketi counts, by app. The port, which it has as a label as well, is known when the numbers are scraped. */

import { Counts } from "./counts.ts";

export class SoketiCounts {
  readonly opened = new Counts("new_connections_total", "Connections that were welcomed.", "app_id");
  readonly closed = new Counts("new_disconnections_total", "Connections that ended.", "app_id");
  readonly callBytesIn = new Counts("http_received_bytes", "Bytes in the bodies of calls of the HTTP API.", "app_id");
  readonly callBytesOut = new Counts("http_transmitted_bytes", "Bytes in the bodies of its answers.", "app_id");
  readonly calls = new Counts("http_calls_received_total", "Calls of the HTTP API.", "app_id");

  get all(): readonly Counts[] {
    return [this.opened, this.closed, this.callBytesIn, this.callBytesOut, this.calls];
  }
}
