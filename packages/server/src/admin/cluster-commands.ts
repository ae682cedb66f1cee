/** What the dashboard of one node asks of every node: what is watched where, and what one of them has to do. */

import * as z from "zod/mini";

/** The topic of these commands on the node bus. */
export const CLUSTER_COMMANDS = "dashboard";

export const ClusterCommand = z.discriminatedUnion("type", [
  /** The live channels that dashboards of this node watch; nothing when they watch nothing any more. */
  z.object({ type: z.literal("watching"), node: z.string(), channels: z.array(z.string()) }),
  /** One more dashboard watches that live channel: it is sent what happened lately. */
  z.object({ type: z.literal("recent"), channel: z.string() }),
  z.object({ type: z.literal("drain"), node: z.string(), isOver: z._default(z.boolean(), false) }),
  /** Live connections of the session have to go. */
  z.object({ type: z.literal("signed-out"), session: z.string() }),
]);

export type ClusterCommand = z.output<typeof ClusterCommand>;
