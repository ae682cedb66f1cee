/** Who a tab is: a name somebody chose or one made up, a colour, and a token that lets it onto the board. */

import { WORKSHOP } from "../../config/demo-app.ts";
import type { App } from "../../domain/app.ts";

export interface Guest {
  readonly id: string;
  readonly info: { readonly name: string; readonly color: string; readonly robot?: true };
}

/** Longest name, in characters; the page's input has the same. */
const NAME_LENGTH = 32;

/** A tab that is open for longer connects again with another. */
const TOKEN_LIFE = "12h";

/** Dark enough for white letters. */
const COLORS = ["#b45309", "#be123c", "#7e22ce", "#4338ca", "#0369a1", "#4d7c0f", "#a21caf"];
const ROBOT_COLOR = "#0f766e";
const FIRST = ["Amber", "Brisk", "Clever", "Gentle", "Lucky", "Merry", "Quiet", "Sunny", "Swift", "Velvet"];
const SECOND = ["Badger", "Falcon", "Heron", "Lynx", "Magpie", "Otter", "Panda", "Robin", "Tiger", "Wren"];

export function makeGuest(wanted: string | null): Guest {
  const [first = 0, second = 0, color = 0] = crypto.getRandomValues(new Uint32Array(3));
  const name = cleanName(wanted ?? "") || `${pick(FIRST, first)} ${pick(SECOND, second)}`;
  return { id: `guest-${crypto.randomUUID().slice(0, 8)}`, info: { name, color: pick(COLORS, color) } };
}

/** A second connection of a tab, which does what a guest would. The token says what it is, so nobody takes it for a person. */
export function makeRobot(): Guest {
  return { id: `robot-${crypto.randomUUID().slice(0, 8)}`, info: { name: "Robot", color: ROBOT_COLOR, robot: true } };
}

export async function tokenFor(app: App, { id, info }: Guest): Promise<string> {
  const { SignJWT } = await import("jose");
  return await new SignJWT({ info, channels: ["presence-*", "private-*"], watch: [WORKSHOP] })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(id)
    .setIssuedAt()
    .setExpirationTime(TOKEN_LIFE)
    .sign(new TextEncoder().encode(app.secrets[0]));
}

/** One line of visible characters. Everything else is the page's to show harmlessly, which it does by never parsing it. */
function cleanName(text: string): string {
  const line = text.toWellFormed().replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, " ");
  return Array.from(line.trim()).slice(0, NAME_LENGTH).join("").trim();
}

function pick(from: readonly string[], chance: number): string {
  return from[chance % from.length] ?? "";
}
