/** One request to a back end: bounded in time and size, never redirected, and never to an address that it may not reach. */

import { lookup as resolveName } from "node:dns";
import { type Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";

/** Which addresses may be connected to, and the setting that permits the others. */
export interface Reach {
  readonly may: (address: string) => boolean;
  readonly setting: string;
}

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
  /** Undefined where every address may be reached. */
  readonly reach: Reach | undefined;
  /** Keeps connections for later requests. Without it each has its own. */
  readonly agent?: Agent;
  /** Most bytes that are read of the answer. Without it, only its status is. */
  readonly answerBytes?: number;
}

export interface PostAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** Undefined where it was not to be read. */
  readonly text: string | undefined;
}

/** The receiver is not there, or did not answer in time, or in a way that cannot be read. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

/** Whatever the status is. Throws NoAnswer with a sentence that may be shown to whoever runs the app. */
export async function post(asked: Post): Promise<PostAnswer> {
  const target = URL.parse(asked.url);
  if (target?.protocol !== "http:" && target?.protocol !== "https:") {
    throw new NoAnswer("The address is neither http:// nor https://.");
  }
  const { reach } = asked;
  const host = target.hostname.replace(/^\[|\]$/g, "");
  // An address that is written out is connected to without being looked up.
  if (reach && isAddress(host) && !reach.may(host)) throw new NoAnswer(forbidden(host, reach));
  const signal = AbortSignal.timeout(asked.timeoutMs);
  try {
    return await exchange(target, asked, signal);
  } catch (error) {
    if (!(error instanceof StaleConnection)) throw error;
    // The receiver closed an idle connection as we used it: it has seen nothing of the request (RFC 9110, 9.2.2).
    const { agent: _, ...fresh } = asked;
    return await exchange(target, fresh, signal);
  }
}

class StaleConnection extends Error {}

function exchange(target: URL, asked: Post, signal: AbortSignal): Promise<PostAnswer> {
  const { headers, body, reach, agent, timeoutMs } = asked;
  const send = target.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const late = () => reject(new NoAnswer(`The receiver did not answer within ${timeoutMs / 1000} s.`));
    if (signal.aborted) return late();
    signal.addEventListener("abort", late, { once: true });
    const request: ClientRequest = send(target, {
      method: "POST",
      headers: { ...headers, "Content-Length": String(Buffer.byteLength(body)) },
      agent: agent ?? false,
      signal,
      ...(reach && { lookup: guarded(reach) }),
    });
    request.on("error", (error) => {
      if (signal.aborted) return late();
      reject(request.reusedSocket ? new StaleConnection() : new NoAnswer(`The request failed: ${error.message}`));
    });
    request.on("response", (response) => {
      read(response, asked.answerBytes).then(resolve, (error) => (signal.aborted ? late() : reject(error)));
    });
    request.end(body);
  });
}

async function read(response: IncomingMessage, mostBytes: number | undefined): Promise<PostAnswer> {
  const { statusCode: status = 0, headers } = response;
  const retryAfter = headers["retry-after"];
  if (mostBytes === undefined) {
    // What it says is of no interest, and may be endless.
    response.destroy();
    return { status, retryAfter, text: undefined };
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      if (bytes > mostBytes) throw new NoAnswer(`The answer has more than ${mostBytes} bytes.`);
      chunks.push(chunk);
    }
  } catch (error) {
    response.destroy();
    throw error instanceof NoAnswer ? error : new NoAnswer("The answer broke off.");
  }
  return { status, retryAfter, text: Buffer.concat(chunks).toString("utf8") };
}

/** Looks at what a name stands for at the moment it is connected to, so that it cannot be another one afterwards. */
function guarded(reach: Reach): LookupFunction {
  return (hostname, options, callback) => {
    resolveName(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error || !first) return callback(error ?? new Error(`${hostname} has no address`), "", 0);
      const inside = addresses.find(({ address }) => !reach.may(address));
      if (inside) return callback(new Error(forbidden(inside.address, reach)), "", 0);
      if (options.all) return callback(null, addresses);
      callback(null, first.address, first.family);
    });
  };
}

function forbidden(address: string, { setting }: Reach): string {
  return `${address} is a private address; requests go there only where \`${setting}\` is on.`;
}

function isAddress(host: string): boolean {
  return host.includes(":") || /^[\d.]+$/.test(host);
}
