/** A long list of which only what is in sight exists: rows of one height, newest on top, chosen with the arrow keys. */

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** Drawn above and below what is in sight. */
const MARGIN = 8;

interface RowsProps<T extends { readonly id: string }> {
  readonly label: string;
  /** Newest first. */
  readonly items: readonly T[];
  /** How many there ever were: tells how far the rows have moved down. */
  readonly total: number;
  readonly rowHeight: number;
  readonly chosen: string | undefined;
  readonly choose: (item: T) => void;
  readonly row: (item: T) => ComponentChildren;
  /** Shown instead of nothing. */
  readonly children?: ComponentChildren;
}

export function Rows<T extends { readonly id: string }>(props: RowsProps<T>) {
  const { label, items, total, rowHeight, chosen, choose, row, children } = props;
  const ref = useRef<HTMLDivElement>(null);
  const { top, height, setTop } = useWindow(ref);
  useStaying(ref, total, rowHeight, setTop);
  const first = Math.max(0, Math.floor(top / rowHeight) - MARGIN);
  const last = Math.min(items.length, Math.ceil((top + height) / rowHeight) + MARGIN);
  const move = (event: KeyboardEvent) => {
    const index = items.findIndex(({ id }) => id === chosen);
    const next = { ArrowDown: index + 1, ArrowUp: Math.max(0, index - 1), Home: 0, End: items.length - 1 }[event.key];
    const item = next === undefined ? undefined : items[next];
    if (next === undefined || !item) return;
    event.preventDefault();
    choose(item);
    const box = ref.current;
    if (!box) return;
    if (next * rowHeight < box.scrollTop) box.scrollTop = next * rowHeight;
    const below = (next + 1) * rowHeight - box.clientHeight;
    if (below > box.scrollTop) box.scrollTop = below;
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
      {items.length === 0 && children}
      <div class="rows-all" style={{ height: `${items.length * rowHeight}px` }}>
        {seen.map((item, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys
          // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus
          <div
            key={item.id}
            id={`row-${item.id}`}
            class={item.id === chosen ? "row-line chosen" : "row-line"}
            role="option"
            aria-selected={item.id === chosen}
            aria-posinset={first + index + 1}
            aria-setsize={items.length}
            style={{ transform: `translateY(${(first + index) * rowHeight}px)`, height: `${rowHeight}px` }}
            onClick={() => choose(item)}
          >
            {row(item)}
          </div>
        ))}
      </div>
    </div>
  );
}

/** What part of the list is in sight. */
function useWindow(ref: { readonly current: HTMLDivElement | null }) {
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  useEffect(() => {
    const box = ref.current;
    if (!box) return;
    const look = () => setTop(box.scrollTop);
    const observer = new ResizeObserver(() => setHeight(box.clientHeight));
    observer.observe(box);
    box.addEventListener("scroll", look, { passive: true });
    return () => {
      observer.disconnect();
      box.removeEventListener("scroll", look);
    };
  }, []);
  return { top, height, setTop };
}

/** Whoever has scrolled down to read something goes on seeing it while new rows come in above. */
function useStaying(
  ref: { readonly current: HTMLDivElement | null },
  total: number,
  rowHeight: number,
  setTop: (top: number) => void,
) {
  const before = useRef(total);
  useLayoutEffect(() => {
    const box = ref.current;
    const added = total - before.current;
    before.current = total;
    if (!box || added <= 0 || box.scrollTop < rowHeight) return;
    box.scrollTop += added * rowHeight;
    setTop(box.scrollTop);
  }, [total]);
}
