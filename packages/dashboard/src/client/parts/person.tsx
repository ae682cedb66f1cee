/** Somebody, as a cell of a list shows them: a coloured initial that is always the same, and the name. */

import { to } from "../route.ts";

const COLORS = 8;

export function Person({ id, name = id }: { id: string; name?: string }) {
  return (
    <span class="person-cell" title={id}>
      <Avatar id={id} name={name} />
      <span class="what">{name}</span>
    </span>
  );
}

/** The same, leading to the user's page. */
export function PersonLink({ app, ...person }: { app: string; id: string; name?: string }) {
  return (
    <a href={to("user", { app, id: person.id })}>
      <Person {...person} />
    </a>
  );
}

export function Avatar({ id, name, isLarge = false }: { id: string; name: string; isLarge?: boolean }) {
  return (
    <span class={`avatar avatar-${colorOf(id)}${isLarge ? " large" : ""}`} aria-hidden="true">
      {(Array.from(name)[0] ?? "?").toUpperCase()}
    </span>
  );
}

function colorOf(id: string): number {
  let hash = 0;
  for (const letter of id) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) % 997;
  return hash % COLORS;
}
