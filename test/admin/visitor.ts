/** Somebody at the dashboard, by HTTP and WebSocket as a browser would: keeps its cookie, sends the header of the page. */

import {
  type LiveEvents,
  liveChannel,
  type Session,
  type Ticket,
  type Watch,
} from "../../packages/server/src/admin/api-types.ts";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { APP, socketUrl } from "../support/server.ts";
import { connect, type TestSocket } from "../support/socket.ts";

export const PASSWORDS = { vera: "only looking", otto: "pressing buttons", anna: "everything!" } as const;
export type Name = keyof typeof PASSWORDS;

const ROLE = { vera: "view", otto: "operate", anna: "admin" } as const;
const hash = (password: string) => Bun.password.hashSync(password, { algorithm: "bcrypt", cost: 4 });

/** One user of each role. */
export const USERS = (Object.keys(PASSWORDS) as Name[]).map((name) => {
  return { name, password: hash(PASSWORDS[name]), role: ROLE[name] };
});

/** A server with an app for anybody, a database, and accounts. */
export const SIGNED: ConfigInput = {
  apps: [{ ...APP, anonymous: true }],
  database: { url: "sqlite::memory:" },
  dashboard: { users: USERS },
};

export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: T;
}

export interface Asked {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Without the header of the dashboard's own page. */
  readonly isBare?: boolean;
}

export class Visitor {
  readonly base: string;
  cookie: string | undefined;

  /** `base` is where the dashboard is, without a slash behind. */
  constructor(base: string) {
    this.base = base;
  }

  async ask<T = unknown>(path: string, { method = "GET", body, headers = {}, isBare }: Asked = {}): Promise<Answer<T>> {
    const answer = await fetch(`${this.base}/${path}`, {
      method,
      redirect: "manual",
      headers: {
        ...(this.cookie !== undefined && { cookie: this.cookie }),
        ...(!isBare && { "X-Fanfare-Dashboard": "1" }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const set = answer.headers.get("set-cookie");
    if (set !== null) this.cookie = /Max-Age=0/.test(set) ? undefined : set.split(";")[0];
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, body: parsed(text) as T };
  }

  post<T = unknown>(path: string, body: unknown = {}, more: Asked = {}): Promise<Answer<T>> {
    return this.ask<T>(path, { method: "POST", body, ...more });
  }

  /** By the printed address, as a browser would. */
  async openBy(address: string | undefined): Promise<Answer> {
    const { search } = new URL(address ?? "");
    return this.ask(search);
  }

  /** What it is told, whether it is let in or not. */
  signIn(name: string, password: string, more: Asked = {}): Promise<Answer<Session>> {
    return this.post("api/session", { name, password }, more);
  }

  /** The live connection, welcomed. */
  async watch(): Promise<Live> {
    const { body, status } = await this.post<Ticket>("api/ticket");
    if (status !== 200) throw new Error(`No ticket, but ${status}.`);
    return openLive(this.base, body.ticket);
  }
}

export async function openLive(base: string, ticket: string): Promise<Live> {
  const socket = await connect(socketUrl(`${base}/api/live?ticket=${encodeURIComponent(ticket)}`));
  const first = await socket.next();
  if (first.event !== "welcome") throw new Error(`Not welcomed, but told: ${JSON.stringify(first)}`);
  return new Live(socket);
}

export class Live {
  readonly socket: TestSocket;

  constructor(socket: TestSocket) {
    this.socket = socket;
  }

  async subscribe(watch: Watch): Promise<void> {
    const channel = liveChannel(watch);
    this.socket.send({ event: "subscribe", id: channel.slice(0, 64), data: { channel } });
    await this.socket.next((frame) => frame.event === "subscribed" && frame.channel === channel);
  }

  /** The next of that kind that fits. */
  async next<Name extends keyof LiveEvents>(
    name: Name,
    fits: (data: LiveEvents[Name]) => boolean = () => true,
  ): Promise<LiveEvents[Name]> {
    const frame = await this.socket.next((one) => one.event === name && fits(one.data as LiveEvents[Name]), 10_000);
    return frame.data as LiveEvents[Name];
  }
}

/** Somebody who has signed in. */
export async function signedIn(url: string, name: Name, path = "/dashboard"): Promise<Visitor> {
  const visitor = new Visitor(url + path);
  const { status, text } = await visitor.signIn(name, PASSWORDS[name]);
  if (status !== 200) throw new Error(`${name} was not let in: ${text}`);
  return visitor;
}

/** Whoever started a server without accounts. */
export async function keyHolder(server: { readonly url: string; readonly dashboardUrl: string | undefined }) {
  const visitor = new Visitor(`${server.url}/dashboard`);
  await visitor.openBy(server.dashboardUrl);
  if (visitor.cookie === undefined) throw new Error(`The key opens nothing: ${server.dashboardUrl}`);
  return visitor;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
