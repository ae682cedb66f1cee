/** An app's back end as hooks find it: a real HTTP server that keeps what it is asked, and answers what a test says. */

import { createHmac } from "node:crypto";
import { atEnd } from "./at-end.ts";
import { APP } from "./server.ts";

export interface Asked {
  readonly hook: string;
  readonly id: string;
  readonly connection: { readonly id: string; readonly meta?: unknown; readonly [name: string]: unknown };
  readonly user: { readonly id: string; readonly info?: unknown } | null;
  readonly [name: string]: unknown;
}

export interface Question {
  readonly asked: Asked;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A Response, a status alone, or what is answered as JSON; nothing is `{}`. */
type Reply = Response | number | object | undefined;
type Answers = Readonly<Record<string, (asked: Asked, question: Question) => Reply | Promise<Reply>>>;

/** `answers` has a function for each hook; those without one are allowed. */
export function startBackEnd(answers: Answers = {}) {
  const questions: Question[] = [];
  const unsigned: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    async fetch(request) {
      const body = await request.text();
      const headers = request.headers.toJSON();
      const expected = createHmac("sha256", APP.secret).update(body).digest("hex");
      if (headers["x-pusher-signature"] !== expected || headers["x-pusher-key"] !== APP.key) unsigned.push(body);
      const asked = JSON.parse(body) as Asked;
      const question = { asked, headers, body };
      questions.push(question);
      const reply = (await answers[asked.hook]?.(asked, question)) ?? {};
      if (reply instanceof Response) return reply;
      return typeof reply === "number" ? new Response(null, { status: reply }) : Response.json(reply);
    },
  });
  atEnd(() => server.stop(true));
  return {
    url: `http://127.0.0.1:${server.port}/fanfare`,
    questions,
    /** Requests that were not signed as webhooks are. */
    unsigned,
    of: (hook: string) => questions.flatMap(({ asked }) => (asked.hook === hook ? [asked] : [])),
    stop: () => server.stop(true),
  };
}
