/** Facts side by side: each a name, a value that one sees from afar, and a line of context. */

import type { ComponentChildren } from "preact";

export interface FactProps {
  readonly name: string;
  readonly value: ComponentChildren;
  readonly unit?: string;
  readonly more: ComponentChildren;
}

export function Strip({ children }: { children: ComponentChildren }) {
  return <dl class="strip">{children}</dl>;
}

export function Fact({ name, value, unit, more }: FactProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <span class="big">
          {value}
          {unit && <small>{unit}</small>}
        </span>
        <small>{more}</small>
      </dd>
    </div>
  );
}
