/** The answer to a subscriber: first that it is in the channel, then what it is sent of the channel's past. */

import type { Connection } from "../domain/connection.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import type { Push, SubscribedPush } from "../domain/message.ts";
import type { JoinReply } from "./membership.ts";

/** As the hub is. */
interface Host {
  push(connection: Connection, push: Push): void;
  observe(event: HubEvent): void;
}

/** `mark` is what the client knows the answer by, or that it asked for nothing. */
export function subscribedReply(
  hub: Host,
  connection: Connection,
  channel: string,
  { ref, by }: Pick<SubscribedPush, "ref" | "by">,
): JoinReply {
  return (members, { position, recovered, rewound, complete, events, isMissing }) => {
    const isComplete = rewound === undefined ? undefined : complete === true;
    const past = { position, recovered, rewound, complete: isComplete };
    hub.push(connection, { type: "subscribed", channel, members, ...past, ref, by });
    const sendPast = () => {
      for (const event of events) hub.push(connection, event);
    };
    if (events.length > 0) connection.socket?.cork(sendPast);
    if (recovered !== undefined) hub.observe({ type: "resumed", connection, channel, recovered });
    if (isMissing) hub.push(connection, { type: "missed", channel });
  };
}
