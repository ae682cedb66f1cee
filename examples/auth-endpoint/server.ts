/** The endpoint that clients ask for permission, without a library: what there is to sign, for each kind of channel. */

import { createHmac } from "node:crypto";

const { PUSHER_APP_KEY: key = "", PUSHER_APP_SECRET: secret = "" } = process.env;

interface User {
  readonly id: string;
  readonly name: string;
}

/** In a real application: the session's user. */
function userOf(request: Request): User | undefined {
  const name = new URL(request.url).searchParams.get("user");
  return name === null ? undefined : { id: name.toLowerCase(), name };
}

/** In a real application: the rules of who may hear what. */
function mayEnter(user: User, channel: string): boolean {
  return channel === "presence-lobby" || channel === `private-user-${user.id}`;
}

function sign(text: string): string {
  return `${key}:${createHmac("sha256", secret).update(text).digest("hex")}`;
}

function refuse(status: number, error: string): Response {
  return Response.json({ error }, { status });
}

/** Private and presence channels. */
async function authorize(request: Request): Promise<Response> {
  const user = userOf(request);
  if (!user) return refuse(401, "Sign in first.");
  const form = new URLSearchParams(await request.text());
  const channel = form.get("channel_name") ?? "";
  const socketId = form.get("socket_id") ?? "";
  // Checked, because a colon in it would make the signature say something else.
  if (!/^\d+\.\d+$/.test(socketId)) return refuse(400, "That is no socket id.");
  if (!mayEnter(user, channel)) return refuse(403, "Not for you.");
  if (!channel.startsWith("presence-")) return Response.json({ auth: sign(`${socketId}:${channel}`) });
  const member = JSON.stringify({ user_id: user.id, user_info: { name: user.name } });
  return Response.json({ auth: sign(`${socketId}:${channel}:${member}`), channel_data: member });
}

/** `pusher.signin()`: who the connection is, so that `sendToUser` finds it. */
async function authenticate(request: Request): Promise<Response> {
  const user = userOf(request);
  if (!user) return refuse(401, "Sign in first.");
  const socketId = new URLSearchParams(await request.text()).get("socket_id") ?? "";
  if (!/^\d+\.\d+$/.test(socketId)) return refuse(400, "That is no socket id.");
  const data = JSON.stringify({ id: user.id, user_info: { name: user.name } });
  return Response.json({ auth: sign(`${socketId}::user::${data}`), user_data: data });
}

const web = Bun.serve({
  port: process.env.PORT ?? 8080,
  routes: { "/pusher/auth": { POST: authorize }, "/pusher/user-auth": { POST: authenticate } },
});
console.log(`Answers at ${web.url}pusher/auth and ${web.url}pusher/user-auth`);
