/** Who is in the lobby, as its presence channel says. */

import { find, make } from "./dom.ts";

export interface Person {
  readonly name: string;
  readonly color: string;
}

const NAME_LENGTH = 32;
const NO_COLOR = "#57534e";
const COLOR = /^#[0-9a-f]{6}$/i;

export class People {
  readonly #people = new Map<string, Person>();
  readonly #list = find("#people", HTMLUListElement);
  readonly #count = find("#people-count", HTMLElement);

  /** Everybody who is there, as the answer to the subscription lists them. */
  reset(members: unknown, me: string | undefined): void {
    this.#people.clear();
    if (Array.isArray(members)) for (const member of members) this.#put(member);
    this.#show(me);
  }

  /** Who came; undefined when nobody new did. */
  add(member: unknown, me: string | undefined): Person | undefined {
    const id = this.#put(member);
    this.#show(me);
    return id === undefined ? undefined : this.#people.get(id);
  }

  remove(member: unknown, me: string | undefined): Person | undefined {
    const id = idOf(member);
    if (id === undefined) return undefined;
    const person = this.#people.get(id);
    this.#people.delete(id);
    this.#show(me);
    return person;
  }

  get(id: string): Person | undefined {
    return this.#people.get(id);
  }

  #put(member: unknown): string | undefined {
    const id = idOf(member);
    if (id !== undefined) this.#people.set(id, personOf(id, (member as { info?: unknown }).info));
    return id;
  }

  #show(me: string | undefined): void {
    this.#count.textContent = String(this.#people.size);
    const others = [...this.#people].filter(([id]) => id !== me);
    this.#list.replaceChildren(
      ...others.map(([, person]) => make("li", "person", avatar(person), make("span", "person-name", person.name))),
    );
  }
}

/** The first letter of the name, on the person's colour. */
export function avatar({ name, color }: Person): HTMLElement {
  const element = make("span", "avatar", Array.from(name)[0]?.toUpperCase() ?? "?");
  element.style.setProperty("--person", color);
  element.ariaHidden = "true";
  return element;
}

/** Members come from anybody who may sign one: what they say of themselves is checked, not believed. */
export function personOf(id: string, info: unknown): Person {
  const { name, color } = (info ?? {}) as { name?: unknown; color?: unknown };
  const called = typeof name === "string" && name.trim() !== "" ? name : id;
  return {
    name: Array.from(called).slice(0, NAME_LENGTH).join(""),
    color: typeof color === "string" && COLOR.test(color) ? color : NO_COLOR,
  };
}

function idOf(member: unknown): string | undefined {
  const { id } = (member ?? {}) as { id?: unknown };
  return typeof id === "string" ? id : undefined;
}
