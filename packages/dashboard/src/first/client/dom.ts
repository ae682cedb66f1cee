/** Makes and finds elements. Text only ever becomes text: nothing here, or on this page, parses HTML. */

const SVG = "http://www.w3.org/2000/svg";

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

export function makeButton(className: string, ...content: (Node | string)[]): HTMLButtonElement {
  const button = make("button", className, ...content);
  button.type = "button";
  return button;
}

export function draw(name: string, attributes: Readonly<Record<string, string | number>>, text = ""): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, String(value));
  element.textContent = text;
  return element;
}

/** One of the symbols of the page. */
export function icon(name: string): SVGElement {
  const element = draw("svg", { class: "i", "aria-hidden": "true" });
  element.append(draw("use", { href: `#i-${name}` }));
  return element;
}

/** `09:05:01`, or with milliseconds `09:05:01.042`. */
export function clockTime(at: Date, withMs = false): string {
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
  return withMs ? `${time}.${String(at.getMilliseconds()).padStart(3, "0")}` : time;
}

/** So that it can be scrolled with the arrow keys. */
export function scrollable<T extends HTMLElement>(element: T): T {
  element.tabIndex = 0;
  return element;
}

export function count(number: number): string {
  return number.toLocaleString("en-US");
}

/** Calls it at most once per picture, however often it is asked. */
export function perFrame(paint: () => void): () => void {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      paint();
    });
  };
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
