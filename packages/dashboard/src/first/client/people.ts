/** Who is in the lobby, as its presence channel says. */

import type { Member } from "@fanfare/client";
import { find, make } from "./dom.ts";

export interface Person {
  readonly name: string;
  readonly color: string;
}

const NAME_LENGTH = 32;
const NO_COLOR = "#57534e";
const COLOR = /^#[0-9a-f]{6}$/i;

export class People {
  readonly #list = find("#people", HTMLUListElement);
  readonly #count = find("#people-count", HTMLElement);

  show(members: readonly Member[], me: string | undefined): void {
    this.#count.textContent = String(members.length);
    const others = members.filter(({ id }) => id !== me).map(({ id, info }) => personOf(id, info));
    this.#list.replaceChildren(
      ...others.map((person) => make("li", "person", avatar(person), make("span", "person-name", person.name))),
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
