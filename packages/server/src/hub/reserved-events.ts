/** Names that no event may have. */

import { CommandError } from "../domain/error.ts";
import type { Protocol } from "../domain/transport.ts";

/** What client libraries report to their applications by events: `fanfare:gap`. Nobody may publish such a one. */
const LIBRARY_EVENTS = "fanfare:";

/** Such names are clients' in every protocol: not to ask them all saves a client event 0.1 µs. */
const CLIENT_EVENTS = "client-";

/** Throws where clients of any protocol, or Fanfare's own client libraries, would take an event of this name for one of their own. */
export function checkReserved(protocols: readonly Protocol[], event: string, fromClient: boolean): void {
  if (event.startsWith(CLIENT_EVENTS)) return;
  let isReserved = event.startsWith(LIBRARY_EVENTS);
  for (const protocol of protocols) isReserved ||= protocol.reservesEvent(event, fromClient);
  if (!isReserved) return;
  throw new CommandError("event_reserved", `The event name ${JSON.stringify(event)} is reserved.`);
}
