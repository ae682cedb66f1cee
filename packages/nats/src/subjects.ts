/**
 * The subjects and streams of this server in NATS. A name with characters that a subject cannot have goes in by its hash; where
 * the name is needed, the message has it.
 */

import { createHash } from "node:crypto";

/** May stand in a subject as it is. Nothing that begins with "=" does, so no name looks like a hash. */
const PLAIN = /^[-A-Za-z0-9_]{1,80}$/;

function tokenOf(name: string): string {
  if (PLAIN.test(name)) return name;
  // By its code units, so that names which are not well-formed Unicode stay apart too.
  return `=${createHash("sha256").update(Buffer.from(name, "utf16le")).digest("base64url")}`;
}

export type LedgerKind = "place" | "bucket" | "key" | "published";

export class Subjects {
  readonly stream: string;
  /** What the stream keeps. */
  readonly stored: string;
  /** The stream of what lasts longer than that, and what it keeps. */
  readonly longTermStream: string;
  readonly longTerm: string;
  /** Of what the stream keeps, what it sends to every node in its order, and under which subjects. */
  readonly republish: { readonly src: string; readonly dest: string };
  /** What nodes write about themselves: as kept, and as republished. */
  readonly registry: string;
  readonly registryRepublished: string;
  /** Only to learn what time it is. */
  readonly clock: string;
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.stream = prefix;
    this.stored = `${prefix}.s.>`;
    // With a sign that no prefix has.
    this.longTermStream = `${prefix}+lasting`;
    this.longTerm = `${prefix}.l.>`;
    this.republish = { src: `${prefix}.s.o.>`, dest: `${prefix}.o.>` };
    this.registry = `${prefix}.s.o.r.>`;
    this.registryRepublished = `${prefix}.o.r.>`;
    this.clock = `${prefix}.s.l.clock`;
  }

  /** Names a channel in all subjects about it. */
  channelKey(app: string, channel: string): string {
    return `${tokenOf(app)}.${tokenOf(channel)}`;
  }

  /** Publications without a position. */
  transient(channelKey: string): string {
    return `${this.#prefix}.s.o.c.${channelKey}.e`;
  }

  /** The latest publications with a position. */
  head(channelKey: string): string {
    return `${this.#prefix}.s.o.c.${channelKey}.k`;
  }

  /** Both, as republished. */
  channelRepublished(channelKey: string): string {
    return `${this.#prefix}.o.c.${channelKey}.*`;
  }

  /** Where a former head is kept. */
  archive(channelKey: string, slot: number): string {
    return `${this.#prefix}.s.a.${channelKey}.${slot}`;
  }

  node(incarnation: string): string {
    return `${this.#prefix}.s.o.r.${incarnation}.n`;
  }

  /** With "*", of all that are over. */
  reap(incarnation: string): string {
    return `${this.#prefix}.s.o.r.${incarnation}.x`;
  }

  /** What follows a node's own part in the subject about a member. */
  memberKey(app: string, channel: string, user: string): string {
    return `m.${this.channelKey(app, channel)}.${tokenOf(user)}`;
  }

  countKey(app: string, channel: string): string {
    return `t.${this.channelKey(app, channel)}`;
  }

  /** What an incarnation of a node wrote under the key; with ">", all of it. */
  ofIncarnation(incarnation: string, key = ">"): string {
    return `${this.#prefix}.s.o.r.${incarnation}.${key}`;
  }

  /** The incarnation and the key in it that a registry subject is about, as kept or as republished. */
  parseRegistry(subject: string): { readonly incarnation: string; readonly key: string } | undefined {
    const start = [`${this.#prefix}.o.r.`, `${this.#prefix}.s.o.r.`].find((prefix) => subject.startsWith(prefix));
    if (start === undefined) return undefined;
    const end = subject.indexOf(".", start.length);
    return end < 0 ? undefined : { incarnation: subject.slice(start.length, end), key: subject.slice(end + 1) };
  }

  /** What is the same of a registry subject as kept and as republished. */
  registryKey(subject: string): string {
    const { incarnation, key } = this.parseRegistry(subject) ?? { incarnation: "", key: subject };
    return `${incarnation}.${key}`;
  }

  /** Of a number that the ledger raises. */
  maximum(name: string): string {
    return `${this.#prefix}.l.${tokenOf(name)}`;
  }

  ledger(kind: LedgerKind, name: string): string {
    return `${this.#prefix}.s.l.${kind}.${tokenOf(name)}`;
  }
}
