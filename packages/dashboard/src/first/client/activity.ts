/** What happened on the board, newest first, with the numbers of its events. */

import type { Position } from "@fanfare/client";
import { find, make, scrollable } from "./dom.ts";
import type { Change } from "./notes.ts";
import { avatar, type Person } from "./people.ts";

const MOST = 60;

export class Activity {
  readonly #list = scrollable(find("#activity", HTMLOListElement));

  add(who: Person, { what, note }: Change, position: Position | undefined, isRecovered: boolean): void {
    const sentence = make("span", "cut", make("b", "", who.name), ` ${what} “${note.text}”`);
    const number = make("span", "mono soft", position ? String(position.offset) : "·");
    const line = make("li", isRecovered ? "recovered" : "", number, avatar(who), sentence);
    if (isRecovered) line.append(make("span", "tag good", "recovered"));
    this.#list.prepend(line);
    while (this.#list.childElementCount > MOST) this.#list.lastElementChild?.remove();
  }

  standStill(isCut: boolean): void {
    find("#activity-hint", HTMLElement).textContent = isCut ? "stands still while you are offline" : "";
  }
}
