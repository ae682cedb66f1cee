/** The page's script: a client in the lobby, and the parts of the page that show it. */

import type { ChannelEvent } from "@fanfare/client";
import { Chat } from "./chat.ts";
import { showCode } from "./code.ts";
import { find } from "./dom.ts";
import { Frames } from "./frames.ts";
import { createLobby } from "./lobby.ts";
import { avatar, People, type Person, personOf } from "./people.ts";
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

let lastMessage = 0;
let hasBeenInRoom = false;
let saidTypingAtMs = Number.NEGATIVE_INFINITY;

const client = createLobby({
  key: appKey,
  name: () => recall(),
  onTraffic: (direction, text) => frames.add(direction, text),
  onOtherKey: () => location.reload(),
});
const room = client.channel(ROOM);
const board = client.channel(BOARD);

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
find("#retry", HTMLButtonElement).addEventListener("click", retry);
let wasInRoom = false;
client.subscribe(() => showConnection());
room.subscribe(() => showRoom());
room.onJoin((member) => chat.addNote(`${personOf(member.id, member.info).name} joined`));
room.onLeave((member) => {
  chat.forget(member.id);
  chat.addNote(`${personOf(member.id, member.info).name} left`);
});
room.onAny(hear);
board.onAny(hear);

// ---- what I do

function retry(): void {
  if (client.snapshot.state === "failed") client.connect();
  else client.wake();
}

function say(): void {
  const text = textInput.value.trim();
  if (text === "" || !isInRoom()) return;
  const id = ++lastMessage;
  chat.addMine(id, me(), text);
  textInput.value = "";
  saidTypingAtMs = Number.NEGATIVE_INFINITY;
  // Also over a broken connection: it is sent again until the server has answered, and published once.
  room.publish(MESSAGE, { text }).then(
    () => chat.settle(id, { delivered: true }),
    (error: Error) => chat.settle(id, { refused: error.message }),
  );
}

function sayTyping(): void {
  if (!isInRoom() || textInput.value === "" || performance.now() - saidTypingAtMs < TYPING_PAUSE_MS) return;
  saidTypingAtMs = performance.now();
  room.publish(TYPING, {}, { volatile: true }).catch(() => {});
}

/** Who I am stands in the token, so another name takes another token, and a new connection. */
function rename(): void {
  const name = nameInput.value.trim();
  if (name === "") {
    nameInput.value = me().name;
  } else if (name !== me().name) {
    remember(name);
    client.close();
    client.connect();
  }
}

function me(): Person {
  const { id = "", info } = client.snapshot.user ?? room.me ?? {};
  return personOf(id, info);
}

function showMe(person: Person): void {
  remember(person.name);
  if (document.activeElement !== nameInput) nameInput.value = person.name;
  find("#me-avatar", HTMLElement).replaceChildren(avatar(person));
}

// ---- what I hear

function showConnection(): void {
  const { snapshot } = client;
  // A server that forgot its state has another demo app.
  if (snapshot.state === "failed" && snapshot.error?.code === "app_unknown") location.reload();
  if (snapshot.state === "connected") showMe(me());
  showState(snapshot);
}

function showRoom(): void {
  const { error } = room.snapshot;
  if (error) chat.addNote(`The server refused: ${error.message}`);
  sendButton.disabled = !isInRoom();
  people.show(room.members, room.me?.id);
  if (isInRoom() && !wasInRoom) {
    chat.addNote(hasBeenInRoom ? `You are back as ${me().name}` : `You joined as ${me().name}`);
    hasBeenInRoom = true;
  }
  wasInRoom = isInRoom();
}

function isInRoom(): boolean {
  return room.snapshot.state === "attached";
}

function hear({ event, data, meta: { user } }: ChannelEvent): void {
  const name = event === "" ? "message" : event;
  if (user === undefined) return chat.addServers(name, textOf(data));
  const member = room.members.find(({ id }) => id === user);
  const person = personOf(user, member?.info);
  if (name === TYPING) return chat.showTyping(user, person.name);
  if (name === MESSAGE) chat.addTheirs(user, person, textOf(data));
}

/** What of an event's data to show as the message. */
function textOf(data: unknown): string {
  if (typeof data === "string") return data;
  const { text } = (data ?? {}) as { text?: unknown };
  return typeof text === "string" ? text : JSON.stringify(data);
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
