/** Tools that act. The server asks for the role `operate`, and writes each act into its audit log. */

import type { Acted, ChannelDetail, Done } from "fanfare/wire/admin";
import { brokenJson } from "fanfare/wire/json";
import { object, string } from "zod";
import { type AdminClient, apiPath, ToolError } from "../admin-client.ts";
import * as input from "../input.ts";
import { type ToolSpec, tool } from "../tool.ts";

const LONGEST_DATA = 1_000_000;
const RECORDED = "Takes the role operate, and stands in the audit log.";

const publish = tool({
  name: "publish",
  title: "Publish an event",
  description: `Sends an event to all subscribers of a channel, as the app's back end would. ${RECORDED}`,
  effect: "act",
  input: object({
    ...{ app: input.app, channel: input.channel, event: input.name.describe("The event's name.") },
    data: string().max(LONGEST_DATA).describe('Text: JSON is sent as that value, such as {"text":"Hello"}.'),
  }),
  run: async ({ app, channel, event, data }, { admin }) => {
    const { id } = await input.appIn(admin, app);
    const problem = brokenJson(data);
    if (problem !== undefined) throw new ToolError(problem);
    const done = await admin.call<Done>("POST", apiPath(["apps", id, "events"]), { channel, event, data });
    return { ...done, app: id, channel, event, subscribers: await subscribersOf(admin, id, channel) };
  },
});

/** What is sent is sent, even where nobody can be counted. */
function subscribersOf(admin: AdminClient, app: string, channel: string): Promise<number | string> {
  const detail = admin.find<ChannelDetail>(apiPath(["apps", app, "channel"], { name: channel }));
  return detail.then(
    (found) => found?.subscribers ?? 0,
    () => "unknown",
  );
}

const disconnect = tool({
  name: "disconnect",
  title: "Disconnect a connection",
  description: `Closes one connection, on whichever node; the client does not come back by itself. ${RECORDED}`,
  effect: "cut",
  input: object({
    app: input.app,
    connection: input.connection,
    message: string().min(1).max(100).optional().describe("What the client is told."),
  }),
  run: async ({ app, connection, message }, { admin }) => {
    const { id } = await input.appIn(admin, app);
    const path = apiPath(["apps", id, "connections", connection, "disconnect"]);
    return admin.call<Acted>("POST", path, message === undefined ? {} : { message });
  },
});

const terminateUser = tool({
  name: "terminate_user",
  title: "Terminate a user",
  description: `Closes all connections of a user, and has tokens that were issued until now refused. ${RECORDED}`,
  effect: "cut",
  input: object({ app: input.app, user: input.name.describe("The user's id.") }),
  run: async ({ app, user }, { admin }) => {
    const { id } = await input.appIn(admin, app);
    return admin.call<Acted>("POST", apiPath(["apps", id, "users", user, "terminate"]), {});
  },
});

export const ACTING: readonly ToolSpec[] = [publish, disconnect, terminateUser];
