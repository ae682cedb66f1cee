/** The page's script: a client on the board, and the parts of the page that show it. */

import type { ChannelEvent, Position } from "@fanfare/client";
import { placeOf } from "../../snippets.ts";
import { Activity } from "./activity.ts";
import { Board } from "./board.ts";
import { Code } from "./code.ts";
import { CURSOR, Cursors } from "./cursors.ts";
import { Cut, type CutState } from "./cut.ts";
import { find } from "./dom.ts";
import { Frames } from "./frames.ts";
import { CURSORS, createGuest, PUBLIC, WORKSHOP } from "./guest.ts";
import { showInvitation } from "./invite.ts";
import { type Change, COLORS, type Note, Notes, shortened } from "./notes.ts";
import { type Person, personOf, SERVER, showPeople } from "./people.ts";
import { Robot } from "./robot.ts";
import { snippets } from "./snippets.ts";
import { RoundTrip, showState } from "./status.ts";
import { recall, remember } from "./tab-memory.ts";
import { Tape } from "./tape.ts";
import { Wire } from "./wire.ts";

/** Somebody who is alone for so long gets company. */
const ALONE_MS = 1_500;

const { appId = "", appKey = "", addresses = "" } = document.documentElement.dataset;
const nameInput = find("#name", HTMLInputElement);
const robotButton = find("#robot", HTMLButtonElement);

const frames = new Frames();
const activity = new Activity();
const notes = new Notes();
const here = new URL(location.href);
const code = new Code(snippets(placeOf(here, here.pathname.replace(/\/[^/]*$/, ""), appId, appKey)));
const wire = new Wire((direction, text) => {
  frames.add(direction, text);
  roundTrip.see(direction, text);
});
const client = createGuest({
  key: appKey,
  name: () => recall("name") || nameInput.value,
  wire,
  onOtherKey: () => location.reload(),
});
const roundTrip = new RoundTrip(client);
const room = client.channel(WORKSHOP);
const cursorChannel = client.channel(CURSORS);
const board = new Board({
  put: (note) => publishNote(note),
  like: (note) => publishLike(note),
  write: (text, { x, y }) => {
    const color = Math.floor(Math.random() * COLORS);
    publishNote({ id: crypto.randomUUID(), text: shortened(text), x, y, color, likes: 0, by: me().name });
  },
  pop: (spot) => cursors.pop(spot),
  point: (spot, dragged) => cursors.point(spot, dragged),
});
const cursors = new Cursors(board, cursorChannel, () => code.hit("send"));
const tape = new Tape(() => (wire.isCut ? cut.mend() : cut.cut()));
const cut = new Cut({
  ...{ key: appKey, wire, client, room },
  onMissed: (position) => tape.mark(position, "missed"),
  onChange: (state) => {
    tape.show(state);
    document.body.classList.toggle("is-cut", state.phase === "cut");
    find("#offline", HTMLElement).hidden = state.phase !== "cut";
    find("#offline-text", HTMLElement).textContent = `Last event you have: ${newest}`;
    activity.standStill(state.phase === "cut");
    if (state.phase === "recovered" && phase !== "recovered" && state.missed > 0) code.hit("recovered");
    if (state.phase === "cut" && phase !== "cut") enliven();
    phase = state.phase;
    showConnection();
  },
});

showInvitation(here, addresses.split(" ").filter(Boolean));
find("#name-form", HTMLFormElement).addEventListener("submit", (submit) => {
  submit.preventDefault();
  nameInput.blur();
});
nameInput.addEventListener("change", rename);
find("#retry", HTMLButtonElement).addEventListener("click", () =>
  client.snapshot.state === "failed" ? client.connect() : client.wake(),
);
robotButton.addEventListener("click", () => {
  remember("robot", robot ? "away" : "");
  if (robot) sendRobotAway();
  else callRobot();
});

let phase: CutState["phase"] = "whole";
/** The number of the last event that this tab has, its own or another's. */
let newest = 0;
let robot: Robot | undefined;
let aloneTimer: ReturnType<typeof setTimeout> | undefined;

client.subscribe(showConnection);
room.subscribe(showRoom);
room.onJoin(() => code.hit("member"));
room.onLeave((member) => cursors.forget(member.id));
room.onAny(hear, { rewind: true });
// What the channel could not give back is read, as far as it is kept.
room.onGap(() => {
  room.history().then(
    ({ events }) => events.forEach(hear),
    () => {},
  );
});
client.channel(PUBLIC).onAny((event) => {
  hear(event);
  code.hit("public");
});
cursorChannel.on(CURSOR, (data: unknown, { user = "" }) => {
  code.hit("cursor");
  const member = room.members.find(({ id }) => id === user);
  if (member) cursors.hear(data, user, personOf(user, member.info));
});

// ---- what I do

function publishNote(note: Note): void {
  publish("note", note, notes.put(note));
}

function publishLike(note: Note): void {
  publish("like", { id: note.id }, notes.like(notes.get(note.id) ?? note));
}

/** Shown at once. Also over a broken connection: it is sent again until the server has answered, and published once. */
function publish(event: string, data: object, change: Change | undefined): void {
  if (!change) return;
  const { id } = change.note;
  board.show(notes.all);
  board.card(id)?.mark("pending");
  room.publish(event, data).then(
    ({ position }) => {
      board.card(id)?.mark("");
      if (position) markHere(position, "heard");
      activity.add(me(), change, position, false);
    },
    (error: Error) => board.card(id)?.mark("failed", error.message),
  );
}

/** Who I am stands in the token, so another name takes another token, and a new connection. */
function rename(): void {
  const name = nameInput.value.trim();
  if (name === "") {
    nameInput.value = me().name;
  } else if (name !== me().name) {
    remember("name", name);
    client.close();
    client.connect();
  }
}

function me(): Person {
  const { id = "", info } = client.snapshot.user ?? room.me ?? {};
  return personOf(id, info);
}

// ---- what I hear

function hear(event: ChannelEvent): void {
  const { user, position } = event.meta;
  const isRecovered = cut.hear(event);
  if (position) markHere(position, isRecovered ? "recovered" : event.meta.replayed ? "kept" : "heard");
  const member = room.members.find(({ id }) => id === user);
  const who = user === undefined ? SERVER : personOf(user, member?.info);
  const change = notes.hear(event.event, event.data, who, position);
  if (!change) return;
  code.hit("note");
  board.show(notes.all);
  const by = member || user === undefined ? who : { ...who, name: change.what === "liked" ? who.name : change.note.by };
  activity.add(by, change, position, isRecovered);
}

/** What was kept from before this tab came is on the board, and not on the tape: nobody missed it. */
function markHere(position: Position, reached: "heard" | "recovered" | "kept"): void {
  newest = position.offset;
  if (reached !== "kept") tape.mark(position, reached);
}

function showConnection(): void {
  const { snapshot } = client;
  // A server that forgot its state has another demo app.
  if (snapshot.state === "failed" && snapshot.error?.code === "app_unknown") location.reload();
  if (snapshot.state === "connected") showMe();
  showState(snapshot, wire.isCut);
}

function showMe(): void {
  const { name } = me();
  remember("name", name);
  if (document.activeElement !== nameInput) nameInput.value = name;
}

function showRoom(): void {
  const { error, state } = room.snapshot;
  document.body.dataset.room = state;
  const refusal = find("#refusal", HTMLElement);
  refusal.hidden = error === undefined;
  refusal.textContent = error ? `The server refused: ${error.message}` : "";
  showPeople(room.members, room.me?.id);
  keepCompany();
}

// ---- company

/** Somebody who is alone gets a robot, unless it was sent away. */
function keepCompany(): void {
  const isAlone = room.members.every(({ id }) => id === room.me?.id);
  const isWanted = isAlone && !robot && recall("robot") !== "away" && room.me !== undefined;
  if (!isWanted) {
    clearTimeout(aloneTimer);
    aloneTimer = undefined;
  } else aloneTimer ??= setTimeout(callRobot, ALONE_MS);
}

/** So that something happens which can be missed, also where the others only look on. */
function enliven(): void {
  const hasRobot = room.members.some(({ id, info }) => personOf(id, info).isRobot);
  if (robot) robot.enliven();
  else if (!hasRobot && recall("robot") !== "away") callRobot();
}

function callRobot(): void {
  aloneTimer = undefined;
  robot ??= new Robot(appKey);
  robotButton.lastChild?.replaceWith("Remove robot");
}

function sendRobotAway(): void {
  robot?.stop();
  robot = undefined;
  robotButton.lastChild?.replaceWith("Add a robot");
}
