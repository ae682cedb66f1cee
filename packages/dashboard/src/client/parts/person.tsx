/** Somebody, as a cell of a list shows them: a coloured initial that is always the same, and the name. */

const COLORS = 8;

export function Person({ id, name = id }: { id: string; name?: string }) {
  return (
    <span class="person-cell" title={id}>
      <span class={`avatar avatar-${colorOf(id)}`} aria-hidden="true">
        {name.charAt(0).toUpperCase()}
      </span>
      <span class="what">{name}</span>
    </span>
  );
}

function colorOf(id: string): number {
  let hash = 0;
  for (const letter of id) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) % 997;
  return hash % COLORS;
}
