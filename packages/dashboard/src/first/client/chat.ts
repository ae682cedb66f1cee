/** What was said: by people, by the server, and about the room itself. */

import { clockTime, find, growing, make } from "./dom.ts";
import { avatar, type Person } from "./people.ts";

const MOST_LINES = 200;
const LONGEST_TEXT = 2_000;
/** Somebody who said "typing" this long ago has stopped. */
const TYPING_MS = 4_000;

export type Delivery = { readonly delivered: true } | { readonly refused: string };

export class Chat {
  readonly #log = find("#messages", HTMLOListElement);
  readonly #append = growing(this.#log, MOST_LINES);
  readonly #typing = find("#typing", HTMLElement);
  readonly #typers = new Map<string, { readonly name: string; readonly timer: ReturnType<typeof setTimeout> }>();
  /** My lines whose fate is not known yet, by their number. */
  readonly #sent = new Map<number, HTMLElement>();

  constructor() {
    // Whoever has no mouse scrolls it with the arrow keys.
    this.#log.tabIndex = 0;
  }

  /** A message of mine, shown at once and marked when the server has taken it. */
  addMine(id: number, person: Person, text: string): void {
    const line = this.#add("mine pending", person, text, "you");
    this.#sent.set(id, line);
  }

  settle(id: number, delivery: Delivery): void {
    const line = this.#sent.get(id);
    if (!line) return;
    this.#sent.delete(id);
    line.classList.remove("pending");
    if ("refused" in delivery) this.#fail(line, delivery.refused);
  }

  addTheirs(userId: string, person: Person, text: string): void {
    this.#stopTyping(userId);
    this.#add("theirs", person, text);
  }

  /** An event that a back end, the command line or a program pushed. */
  addServers(event: string, text: string): void {
    this.#add("server", { name: "Server", color: "#b45309" }, text, event === "message" ? "pushed" : event);
  }

  addNote(text: string): void {
    this.#append(make("li", "note", text));
  }

  showTyping(userId: string, name: string): void {
    clearTimeout(this.#typers.get(userId)?.timer);
    const timer = setTimeout(() => this.#stopTyping(userId), TYPING_MS);
    this.#typers.set(userId, { name, timer });
    this.#showTypers();
  }

  forget(userId: string): void {
    this.#stopTyping(userId);
  }

  #add(kind: string, person: Person, text: string, tag?: string): HTMLElement {
    const at = new Date();
    const time = make("time", "", clockTime(at).slice(0, 5));
    time.dateTime = at.toISOString();
    const name = make("strong", "", person.name);
    name.style.setProperty("--person", person.color);
    const head = make("div", "message-head", name, ...(tag === undefined ? [] : [make("span", "tag", tag)]), time);
    const shown = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
    const body = make("div", "message-body", head, make("p", "", shown));
    const line = make("li", `message ${kind}`, avatar(person), body);
    this.#append(line);
    return line;
  }

  #fail(line: HTMLElement, why: string): void {
    line.classList.add("failed");
    line.querySelector(".message-body")?.append(make("p", "failure", `Not sent: ${why}`));
  }

  #stopTyping(userId: string): void {
    clearTimeout(this.#typers.get(userId)?.timer);
    if (this.#typers.delete(userId)) this.#showTypers();
  }

  #showTypers(): void {
    const names = [...this.#typers.values()].map(({ name }) => name);
    this.#typing.textContent = typingSentence(names);
  }
}

function typingSentence(names: readonly string[]): string {
  const [first, second] = names;
  if (first === undefined) return "";
  if (second === undefined) return `${first} is typing…`;
  return names.length === 2 ? `${first} and ${second} are typing…` : "Several people are typing…";
}
