/**
 * Names of everything in NATS. What a name of ours is not made of ends up in no subject: it goes in by its hash, and stands in
 * the message where somebody has to read it.
 */

import { createHash } from "node:crypto";

/** May stand in a subject as it is. Nothing that begins with "=" does, so no name looks like a hash. */
const PLAIN = /^[-A-Za-z0-9_]{1,80}$/;

export function tokenOf(name: string): string {
  if (PLAIN.test(name)) return name;
  // By its code units, so that names which are not well-formed Unicode stay apart too.
  return `=${createHash("sha256").update(Buffer.from(name, "utf16le")).digest("base64url")}`;
}

export type CellKind = "place" | "bucket" | "key" | "published";

export class Subjects {
  /** The stream's name. */
  readonly stream: string;
  /** What the stream keeps. */
  readonly stored: string;
  /** The stream of what lasts longer than that, and what it keeps. */
  readonly lastingStream: string;
  readonly lasting: string;
  /** Of what the first keeps, what everybody is told in the order of the stream, and under which subjects. */
  readonly told: { readonly src: string; readonly dest: string };
  /** Who is where: as kept, and as told. */
  readonly rows: string;
  readonly rowsTold: string;
  /** Only to learn what time it is. */
  readonly clock: string;
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.stream = prefix;
    this.stored = `${prefix}.s.>`;
    // With a sign that no prefix has.
    this.lastingStream = `${prefix}+lasting`;
    this.lasting = `${prefix}.l.>`;
    this.told = { src: `${prefix}.s.o.>`, dest: `${prefix}.o.>` };
    this.rows = `${prefix}.s.o.r.>`;
    this.clock = `${prefix}.s.l.clock`;
    this.rowsTold = `${prefix}.o.r.>`;
  }

  /** A channel's place in all subjects about it. */
  place(app: string, channel: string): string {
    return `${tokenOf(app)}.${tokenOf(channel)}`;
  }

  /** What is only carried. */
  passing(place: string): string {
    return `${this.#prefix}.s.o.c.${place}.e`;
  }

  /** The latest of what is numbered. */
  head(place: string): string {
    return `${this.#prefix}.s.o.c.${place}.k`;
  }

  /** Both, as told. */
  heard(place: string): string {
    return `${this.#prefix}.o.c.${place}.*`;
  }

  /** Where what was the head is kept. */
  archive(place: string, slot: number): string {
    return `${this.#prefix}.s.a.${place}.${slot}`;
  }

  node(generation: string): string {
    return `${this.#prefix}.s.o.r.${generation}.n`;
  }

  /** With "*", of all that are over. */
  reap(generation: string): string {
    return `${this.#prefix}.s.o.r.${generation}.x`;
  }

  row(generation: string, app: string, channel: string, user: string): string {
    return `${this.#prefix}.s.o.r.${generation}.m.${this.place(app, channel)}.${tokenOf(user)}`;
  }

  tally(generation: string, app: string, channel: string): string {
    return `${this.#prefix}.s.o.r.${generation}.t.${this.place(app, channel)}`;
  }

  /** All that a generation of a node wrote about itself. */
  ofGeneration(generation: string): string {
    return `${this.#prefix}.s.o.r.${generation}.>`;
  }

  /** The generation and the key in it that a registry subject is about, as told or as kept. */
  parseRow(subject: string): { readonly generation: string; readonly key: string } | undefined {
    const told = `${this.#prefix}.o.r.`;
    const kept = `${this.#prefix}.s.o.r.`;
    const start = subject.startsWith(told) ? told.length : subject.startsWith(kept) ? kept.length : -1;
    const end = start < 0 ? -1 : subject.indexOf(".", start);
    return end < 0 ? undefined : { generation: subject.slice(start, end), key: subject.slice(end + 1) };
  }

  /** What is the same of a registry subject as told and as kept. */
  bare(subject: string): string {
    const { generation, key } = this.parseRow(subject) ?? { generation: "", key: subject };
    return `${generation}.${key}`;
  }

  /** What the ledger raises under a name. */
  level(name: string): string {
    return `${this.#prefix}.l.${tokenOf(name)}`;
  }

  /** What the ledger keeps under a name. */
  cell(kind: CellKind, name: string): string {
    return `${this.#prefix}.s.l.${kind}.${tokenOf(name)}`;
  }
}
