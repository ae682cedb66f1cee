/** What nodes say to each other about sessions: the node that has a request asks the one that has the connection. */

import type { Outcome } from "./deliver.ts";
import type { CloseReason } from "./http-socket.ts";

/** The topic on the bus of the nodes. */
export const SESSIONS_TOPIC = "http session";

interface Named {
  readonly session: string;
  readonly origin: string | null;
}

/** The next frames, as soon as there are any. What it has not been given `after` for may be asked again. */
export interface ReadQuestion extends Named {
  readonly do: "read";
  /** The request, by a name that its node gave it. */
  readonly reader: string;
  /** From now on this request reads. Otherwise it only goes on, and never takes the place of another. */
  readonly isFirst: boolean;
  /** The last frame that arrived; without it, the last that was ever written. */
  readonly after?: number;
  /** 0 where `after` is what the client itself says that it has. */
  readonly waitMs: number;
  readonly isPoll: boolean;
  /** A client that hangs up comes back. */
  readonly isResumable: boolean;
}

export interface HangUpQuestion extends Named {
  readonly do: "hang up";
  readonly reader: string;
  /** The client does not come back. */
  readonly isGone: boolean;
}

export interface SendQuestion extends Named {
  readonly do: "send";
  /** Without it, frames of Pusher's. */
  readonly seq?: number;
  readonly frames: readonly string[];
}

export interface CloseQuestion extends Named {
  readonly do: "close";
}

export type Question = ReadQuestion | HangUpQuestion | SendQuestion | CloseQuestion;

export interface Batch {
  readonly type: "frames";
  /** Of the app, for what pages of other origins may read. */
  readonly key: string;
  /** The number of the frame before the first of these. */
  readonly position: number;
  readonly frames: readonly string[];
  /** All is said. */
  readonly closing?: CloseReason;
  /** The client asked whether the server is there. */
  readonly isAlive?: true;
}

/** `replaced`: by another request of the client's. `limited`: the session sends too many. */
export type ReadAnswer = Batch | { readonly type: "gone" | "forbidden" | "replaced" | "limited" };

export type Answer = ReadAnswer | Outcome;

/** Anything that can publish in the engine can ask. Throws where it is no question. */
export function parseQuestion(data: unknown): Question {
  const question = data as Partial<Record<string, unknown>>;
  const { session, origin, reader, frames, after, waitMs, seq } = question;
  const isNamed = typeof session === "string" && (origin === null || typeof origin === "string");
  const isNumber = (value: unknown) => value === undefined || Number.isSafeInteger(value);
  const isRight = {
    read: typeof reader === "string" && typeof waitMs === "number" && isNumber(after),
    "hang up": typeof reader === "string",
    send: Array.isArray(frames) && frames.every((frame) => typeof frame === "string") && isNumber(seq),
    close: true,
  }[question.do as Question["do"]];
  if (!isNamed || isRight !== true) throw new Error("It is no question about a session.");
  return question as unknown as Question;
}
