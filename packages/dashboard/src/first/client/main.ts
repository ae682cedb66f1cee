/** The page's script: a session in the lobby, and the parts of the page that show it. */

import { Chat } from "./chat.ts";
import { showCode } from "./code.ts";
import { find } from "./dom.ts";
import { Frames } from "./frames.ts";
import { avatar, People, type Person, personOf } from "./people.ts";
import { type Incoming, Session } from "./session.ts";
import { clientSnippets, placeOf, serverSnippets } from "./snippets.ts";
import { showState } from "./status.ts";

/** The chat with its presence list. */
const ROOM = "presence-lobby";
/** Public, so that the code on the page works in anybody's program; what is pushed to it is shown in the chat as well. */
const BOARD = "lobby";
const MESSAGE = "client-message";
const TYPING = "client-typing";
const TYPING_PAUSE_MS = 2_000;
const NAME_KEY = "fanfare-demo-name";

const { appId = "", appKey = "" } = document.documentElement.dataset;
const people = new People();
const chat = new Chat();
const frames = new Frames();
const nameInput = find("#name", HTMLInputElement);
const textInput = find("#text", HTMLInputElement);
const sendButton = find("#send", HTMLButtonElement);

let lastCommand = 0;
let isInRoom = false;
let hasBeenInRoom = false;
let saidTypingAtMs = Number.NEGATIVE_INFINITY;

const session = new Session({
  key: appKey,
  name: () => recall(),
  onTraffic: (direction, text) => frames.add(direction, text),
  onFrame: take,
  onOtherKey: () => location.reload(),
  onState(state) {
    if (state.type !== "open") leaveRoom();
    if (state.type === "open") enterRoom();
    showState(state);
  },
});

const place = placeOf(new URL(location.href), appId, appKey);
showCode(find("#client-code", HTMLElement), clientSnippets(place));
showCode(find("#server-code", HTMLElement), serverSnippets(place));
find("#send-form", HTMLFormElement).addEventListener("submit", (submit) => {
  submit.preventDefault();
  say();
});
find("#name-form", HTMLFormElement).addEventListener("submit", (submit) => {
  submit.preventDefault();
  nameInput.blur();
});
nameInput.addEventListener("change", rename);
textInput.addEventListener("input", sayTyping);
find("#retry", HTMLButtonElement).addEventListener("click", () => session.connect());
session.connect();

// ---- what I do

function enterRoom(): void {
  const { ticket } = session;
  if (ticket) showMe(personOf(ticket.user.id, ticket.user.info));
  session.send({ event: "subscribe", id: ++lastCommand, data: { channel: ROOM } });
  session.send({ event: "subscribe", id: ++lastCommand, data: { channel: BOARD } });
}

function leaveRoom(): void {
  isInRoom = false;
  sendButton.disabled = true;
  chat.abandonPending();
}

function say(): void {
  const text = textInput.value.trim();
  if (text === "" || !isInRoom) return;
  const id = ++lastCommand;
  if (!session.send({ event: "publish", id, data: { channel: ROOM, event: MESSAGE, data: { text } } })) return;
  chat.addMine(id, me(), text);
  textInput.value = "";
  saidTypingAtMs = Number.NEGATIVE_INFINITY;
}

function sayTyping(): void {
  if (!isInRoom || textInput.value === "" || performance.now() - saidTypingAtMs < TYPING_PAUSE_MS) return;
  saidTypingAtMs = performance.now();
  session.send({ event: "publish", data: { channel: ROOM, event: TYPING, data: {} } });
}

/** Who I am stands in the token, so another name takes another token, and a new connection. */
function rename(): void {
  const name = nameInput.value.trim();
  if (name === "") {
    nameInput.value = me().name;
  } else if (name !== me().name) {
    remember(name);
    session.connect();
  }
}

function me(): Person {
  const { id = "", info } = session.ticket?.user ?? {};
  return personOf(id, info);
}

function showMe(person: Person): void {
  remember(person.name);
  if (document.activeElement !== nameInput) nameInput.value = person.name;
  find("#me-avatar", HTMLElement).replaceChildren(avatar(person));
}

// ---- what I hear

function take(frame: Incoming): void {
  // An event that somebody pushed under a name of the protocol's own.
  if (frame.pushed === true) return hear(frame);
  switch (frame.event) {
    case "welcome":
    case "pong":
    case "unsubscribed":
    case "subscription_count":
    case "closing":
      return;
    case "subscribed":
      return joined(frame);
    case "member_added":
      return came(frame);
    case "member_removed":
      return went(frame);
    case "published":
      return chat.settle(Number(frame.id), { delivered: true });
    case "error":
      return refused(frame);
  }
  hear(frame);
}

function joined({ channel, data }: Incoming): void {
  if (channel !== ROOM) return;
  const { members } = (data ?? {}) as { members?: unknown };
  people.reset(members, myId());
  isInRoom = true;
  sendButton.disabled = false;
  chat.addNote(hasBeenInRoom ? `You are back as ${me().name}` : `You joined as ${me().name}`);
  hasBeenInRoom = true;
}

function came({ channel, data }: Incoming): void {
  if (channel !== ROOM) return;
  const person = people.add(userIn(data), myId());
  if (person) chat.addNote(`${person.name} joined`);
}

function went({ channel, data }: Incoming): void {
  if (channel !== ROOM) return;
  const user = userIn(data);
  const person = people.remove(user, myId());
  if (!person) return;
  chat.forget(String((user as { id: unknown }).id));
  chat.addNote(`${person.name} left`);
}

function refused({ id, message, code }: Incoming): void {
  const why = typeof message === "string" ? message : String(code);
  if (typeof id === "number") chat.settle(id, { refused: why });
  if (!isInRoom) chat.addNote(`The server refused: ${why}`);
}

function hear(frame: Incoming): void {
  const { event, user, data } = frame;
  const name = typeof event === "string" ? event : "message";
  if (typeof user !== "string") return chat.addServers(name, "data" in frame ? textOf(data) : JSON.stringify(frame));
  const person = people.get(user) ?? personOf(user, undefined);
  if (name === TYPING) return chat.showTyping(user, person.name);
  if (name === MESSAGE) chat.addTheirs(user, person, textOf(data));
}

/** What of an event's data to show as the message. */
function textOf(data: unknown): string {
  if (typeof data === "string") return data;
  const { text } = (data ?? {}) as { text?: unknown };
  return typeof text === "string" ? text : JSON.stringify(data);
}

function userIn(data: unknown): unknown {
  return ((data ?? {}) as { user?: unknown }).user;
}

function myId(): string | undefined {
  return session.ticket?.user.id;
}

// ---- my name, as long as the tab lives

function recall(): string {
  try {
    return sessionStorage.getItem(NAME_KEY) ?? "";
  } catch {
    return nameInput.value;
  }
}

function remember(name: string): void {
  try {
    sessionStorage.setItem(NAME_KEY, name);
  } catch {
    // Storage is switched off: then the name lives in its input alone.
  }
}
