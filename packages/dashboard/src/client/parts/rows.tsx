/** A long list of which only what is in sight exists: rows of one height, newest on top, chosen with the arrow keys. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

/** Drawn above and below what is in sight. */
const MARGIN = 8;

interface RowsProps<T extends { readonly id: string }> {
  readonly label: string;
  /** What each column is; only for those who see it. */
  readonly head: ComponentChildren;
  /** Newest first. They may not change while the list is scrolled. */
  readonly items: readonly T[];
  readonly rowHeight: number;
  readonly chosen: string | undefined;
  readonly choose: (item: T) => void;
  /** Whether the newest are out of sight. */
  readonly scrolled: (isAway: boolean) => void;
  readonly row: (item: T) => ComponentChildren;
  readonly look: (item: T) => string;
  /** A line between two of them: in front of which one it is, and what it says. */
  readonly divider?: { readonly before: number; readonly says: ComponentChildren } | undefined;
  /** Shown instead of nothing. */
  readonly children?: ComponentChildren;
}

export function Rows<T extends { readonly id: string }>(props: RowsProps<T>) {
  const { label, head, items, rowHeight, chosen, choose, scrolled, row, look, divider, children } = props;
  const placeOf = (index: number) => (divider && index >= divider.before ? index + 1 : index) * rowHeight;
  const ref = useRef<HTMLDivElement>(null);
  const { top, height } = useWindow(ref, (now) => scrolled(now >= rowHeight));
  const first = Math.max(0, Math.floor(top / rowHeight) - MARGIN);
  const last = Math.min(items.length, Math.ceil((top + height) / rowHeight) + MARGIN);
  const index = items.findIndex(({ id }) => id === chosen);
  useEffect(() => {
    if (ref.current && index >= 0) reveal(ref.current, placeOf(index), rowHeight);
  }, [chosen]);
  const move = (event: KeyboardEvent) => {
    const next = { ArrowDown: index + 1, ArrowUp: Math.max(0, index - 1), End: items.length - 1 }[event.key];
    const item = next === undefined ? undefined : items[next];
    if (!item) return;
    event.preventDefault();
    choose(item);
  };
  const seen = items.slice(first, last);
  return (
    <div
      ref={ref}
      class="rows"
      role="listbox"
      aria-label={label}
      aria-live="off"
      tabIndex={0}
      aria-activedescendant={seen.some(({ id }) => id === chosen) ? `row-${chosen}` : undefined}
      onKeyDown={move}
    >
      <div class="row-head" aria-hidden="true">
        {head}
      </div>
      {items.length === 0 && children}
      <div class="rows-all" style={{ height: `${placeOf(items.length)}px` }}>
        {divider && (
          <div
            class="row-divider"
            role="presentation"
            style={{ transform: `translateY(${divider.before * rowHeight}px)`, height: `${rowHeight}px` }}
          >
            {divider.says}
          </div>
        )}
        {seen.map((item, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys
          // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus
          <div
            key={item.id}
            id={`row-${item.id}`}
            class={`row-line ${look(item)}`}
            role="option"
            aria-selected={item.id === chosen}
            aria-posinset={first + index + 1}
            aria-setsize={items.length}
            style={{ transform: `translateY(${placeOf(first + index)}px)`, height: `${rowHeight}px` }}
            onClick={() => choose(item)}
          >
            {row(item)}
          </div>
        ))}
      </div>
    </div>
  );
}

/** The head of the list lies over its top. */
function reveal(box: HTMLElement, top: number, rowHeight: number): void {
  const head = box.querySelector<HTMLElement>(".row-head")?.offsetHeight ?? 0;
  const below = top + rowHeight + head - box.clientHeight;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (below > box.scrollTop) box.scrollTop = below;
}

/** What part of the list is in sight. */
function useWindow(ref: { readonly current: HTMLDivElement | null }, moved: (top: number) => void) {
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const latest = useRef(moved);
  latest.current = moved;
  useEffect(() => {
    const box = ref.current;
    if (!box) return;
    const look = () => {
      setTop(box.scrollTop);
      latest.current(box.scrollTop);
    };
    const observer = new ResizeObserver(() => setHeight(box.clientHeight));
    observer.observe(box);
    box.addEventListener("scroll", look, { passive: true });
    return () => {
      observer.disconnect();
      box.removeEventListener("scroll", look);
    };
  }, []);
  return { top, height };
}
