// The back end of hooks in Express: `npm install express`, then FANFARE_SECRET=… node express.mjs.

import { createHmac, timingSafeEqual } from "node:crypto";
import express from "express";

const { FANFARE_SECRET = "", PORT = "8000" } = process.env;

/** Whose session the cookie names. A real application asks its session store. */
const userOf = ({ headers }) => /\bsession=user-(\w+)/.exec(headers.cookie ?? "")?.[1];

const hooks = {
  connect: (_, request) => {
    const id = userOf(request);
    if (!id) return { refuse: { message: "Log in first." } };
    return { user: { id }, meta: { plan: "pro" }, cache_s: 60, token: true };
  },
  subscribe: ({ channel, user }) =>
    channel === `private-orders.${user?.id}` ? {} : { refuse: { code: "not_yours", message: "That is not yours." } },
  publish: ({ payload }) => (JSON.stringify(payload).includes("spam") ? { drop: true } : {}),
  call: ({ connection, user }) => ({ result: { plan: connection.meta.plan, of: user.id } }),
};

const app = express();

// As it came: what was signed is the text, not what it means.
app.post("/fanfare", express.text({ type: "application/json" }), (request, response) => {
  const expected = createHmac("sha256", FANFARE_SECRET).update(request.body).digest();
  const given = Buffer.from(request.get("X-Pusher-Signature") ?? "", "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return response.sendStatus(401);
  const asked = JSON.parse(request.body);
  if (Math.abs(Date.now() - asked.time_ms) > 300_000) return response.sendStatus(401);
  response.json(hooks[asked.hook]?.(asked, request) ?? {});
});

app.listen(Number(PORT), "127.0.0.1");
