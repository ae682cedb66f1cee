/** The settings of how the servers of a cluster share connections. */

import { integer, oneOf, seconds, section, withDefault } from "./fields.ts";

export const cluster = section("How the servers of a cluster share the connections.", {
  rebalance: oneOf(
    "When servers that have more connections than their even share ask clients to reconnect, those that miss nothing by it: after another server has joined as well as on `fanfare rebalance`, or on that only.",
    ["on-join", "manual"],
  ).apply(withDefault, "on-join"),
  rebalanceDelayS: seconds(
    "Time after a server has joined before they do, in seconds: as long as the load balancer takes to find it.",
    0,
  ).apply(withDefault, 15),
  rebalanceHoldS: seconds(
    "Time that a client which was asked to reconnect may take, in seconds. Until it is over its user stays a member of presence channels, so that nobody is notified of a departure; only clients whose channels keep events for as long are asked.",
    3,
  ).apply(withDefault, 10),
  rebalancePerS: integer("Most connections that each server asks to reconnect per second.").apply(withDefault, 100),
});
