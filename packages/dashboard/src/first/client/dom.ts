/** Makes and finds elements. Text only ever becomes text: nothing here, or on this page, parses HTML. */

export function find<T extends Element>(selector: string, type: { new (): T }, within: ParentNode = document): T {
  const found = within.querySelector(selector);
  if (found instanceof type) return found;
  throw new Error(`The page has no ${selector}.`);
}

/** An element with a class and what is in it. */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className: string,
  ...content: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  if (className !== "") element.className = className;
  element.append(...content);
  return element;
}

/** `09:05:01`, or with milliseconds `09:05:01.042`. */
export function clockTime(at: Date, withMs = false): string {
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
  return withMs ? `${time}.${String(at.getMilliseconds()).padStart(3, "0")}` : time;
}

/**
 * Makes a list grow at its end, up to so many items, and keeps the end in view unless the reader has scrolled up to look
 * at something.
 */
export function growing(list: HTMLElement, most: number): (...items: readonly Node[]) => void {
  let isAtEnd = true;
  const follow = () => {
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  };
  list.addEventListener("scroll", () => {
    isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END_PX;
  });
  new ResizeObserver(follow).observe(list);
  return (...items) => {
    list.append(...items);
    while (list.childElementCount > most) list.firstElementChild?.remove();
    follow();
  };
}

const NEAR_END_PX = 48;
