/** A part of a page with a title, and where there is more of it. */

import type { ComponentChildren } from "preact";
import { count } from "../show.ts";
import { Mark } from "./small.tsx";

interface CardProps {
  readonly title: string;
  readonly link?: ComponentChildren;
  /** How often in the last five minutes; said where it was at all. */
  readonly count?: number;
  readonly children: ComponentChildren;
}

export function Card({ title, link, count: times = 0, children }: CardProps) {
  return (
    <section class="card" aria-label={title}>
      <h2>
        {title}
        {times > 0 && <Mark tone="bad">{count(times)} in 5 min</Mark>}
        <span class="grow" />
        {link && <small>{link}</small>}
      </h2>
      {children}
    </section>
  );
}
