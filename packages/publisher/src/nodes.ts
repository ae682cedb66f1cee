/** Which nodes clients may connect to, as the server signed it. */

import { PublisherError } from "./errors.ts";
import type { Signer } from "./signer.ts";

export type NodeStrategy = "round_robin" | "random" | "least_connections";

export interface NodeAddress {
  /** The host, with the port where it is not the usual one. */
  readonly name: string;
  readonly url: string;
  readonly connections: number;
  /** How late timers run there, in milliseconds. */
  readonly lagMs: number;
}

export interface NodeList {
  /** The app's key. */
  readonly app: string;
  readonly strategy: NodeStrategy;
  /** The one to connect to first. Empty if no node says where clients reach it (`nodeUrl`). */
  readonly nodes: readonly NodeAddress[];
  /** Unix seconds. */
  readonly expiresAt: number;
  /** By the app's first secret, so that the list can be passed on and checked. */
  readonly signature: string;
}

/** Throws a PublisherError (`answer_invalid`) if no secret of the app signed it, or if it is over. */
export async function checkNodeList(answer: unknown, key: string, signers: readonly Signer[]): Promise<NodeList> {
  const list = answer as NodeList;
  if (!Array.isArray(list?.nodes) || typeof list.signature !== "string") throw refused("is no list of nodes");
  const lines = list.nodes.map(({ url, connections, lagMs }) => `${url} ${connections} ${lagMs}`);
  const text = ["fanfare-nodes", list.app, list.strategy, list.expiresAt, ...lines].join("\n");
  const signed = await Promise.all(signers.map((signer) => signer.isSigned(text, list.signature)));
  if (!signed.includes(true)) throw refused("is not signed by a secret of this app");
  if (list.app !== key) throw refused("is of another app");
  if (!(list.expiresAt * 1000 > Date.now())) throw refused("is over: compare this machine's clock with the server's");
  return list;
}

function refused(why: string): PublisherError {
  return new PublisherError(`The list of nodes ${why}.`, { code: "answer_invalid" });
}
