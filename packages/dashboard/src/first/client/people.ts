/** Who is here, as the presence channel says. */

import type { Member } from "@fanfare/client";
import { find, icon, make } from "./dom.ts";

export interface Person {
  readonly name: string;
  readonly color: string;
  readonly isRobot: boolean;
}

/** What a back end, the command line or a program published. */
export const SERVER: Person = { name: "Server", color: "#57534e", isRobot: false };

const NAME_LENGTH = 32;
const COLOR = /^#[0-9a-f]{6}$/i;
/** So many faces, and a number for the others. */
const MOST_FACES = 6;

/** One face for each, oneself first. */
export function showPeople(members: readonly Member[], me: string | undefined): void {
  const people = members.toSorted((one, other) => Number(other.id === me) - Number(one.id === me));
  const faces = people.slice(0, MOST_FACES).map(({ id, info }) => {
    const person = personOf(id, info);
    const face = make("li", "", avatar(person), make("span", "vh", id === me ? `${person.name} (you)` : person.name));
    face.title = person.name;
    return face;
  });
  const more = people.length - faces.length;
  if (more > 0) faces.push(make("li", "more", `+${more}`));
  find("#people", HTMLUListElement).replaceChildren(...faces);
}

/** The first letter of the name, on the person's colour. */
export function avatar({ name, color, isRobot }: Person): HTMLElement {
  const element = make("span", "avatar", isRobot ? icon("robot") : (Array.from(name)[0]?.toUpperCase() ?? "?"));
  element.style.setProperty("--person", color);
  element.ariaHidden = "true";
  return element;
}

/** Members come from anybody who may sign one: what they say of themselves is checked, not believed. */
export function personOf(id: string, info: unknown): Person {
  const { name, color, robot } = (info ?? {}) as Readonly<Record<string, unknown>>;
  const called = typeof name === "string" && name.trim() !== "" ? name : id;
  return {
    name: Array.from(called).slice(0, NAME_LENGTH).join(""),
    color: typeof color === "string" && COLOR.test(color) ? color : SERVER.color,
    isRobot: robot === true,
  };
}
