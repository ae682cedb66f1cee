/**
 * The Pusher protocol for clients that connect with `?recover=1`: the same frames, and in them the positions, answers and
 * gaps by which such a client knows after a reconnect that it missed nothing. Clients without it receive none of this.
 */

import { CommandError, type Disconnect } from "../../domain/error.ts";
import type { CloseFrame, Push, ResumeOptions } from "../../domain/message.ts";
import type { Protocol } from "../../domain/transport.ts";
import type { JsonObject } from "../json.ts";
import { positionText, resumeOptionsIn } from "../resume.ts";
import { decode, encodeDisconnect, pusherProtocol } from "./codec.ts";

export function recoveringPusherProtocol(options: { readonly jsonDepth: number }): Protocol {
  const plain = pusherProtocol(options);
  return {
    ...plain,
    variant: "recover",
    recovers: true,
    decode: (frame) => decode(frame, options.jsonDepth, resumeOptionsOf),
    encode: (push) => encode(plain, push),
    encodeClose,
  };
}

/** A position that cannot be read refuses the subscription, which is then answered as such: the client waits for no other answer. */
function resumeOptionsOf(data: JsonObject, channel: string): ResumeOptions {
  try {
    return resumeOptionsIn(data, "previous_socket_ids");
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandError(error.code, error.message, { channel });
  }
}

function encode(plain: Protocol, push: Push): string | undefined {
  switch (push.type) {
    case "event":
      return withMembers(plain.encode(push), push.position ? positionText(push.position) : "");
    case "welcome":
      return withMembers(plain.encode(push), '"recover":true');
    case "subscribed":
      return withMembers(plain.encode(push), standing(push));
    case "gap":
      return `{"event":"pusher_internal:gap","channel":${JSON.stringify(push.channel)},"data":"{}"}`;
    case "refused":
      return plain.encode(ofSubscription(push));
    default:
      return plain.encode(push);
  }
}

/** The position is the last member wherever there is one, so that a client finds it without parsing the frame again. */
function standing({ recovered, position }: Extract<Push, { type: "subscribed" }>): string {
  const members: string[] = [];
  if (recovered !== undefined) members.push(`"recovered":${recovered}`);
  if (position) members.push(positionText(position));
  return members.join();
}

/** A refusal by `resumeOptionsOf` names the channel, and comes without a command. */
function ofSubscription(push: Extract<Push, { type: "refused" }>): Push {
  const channel = push.command ? undefined : push.error.about?.channel;
  return channel === undefined ? push : { ...push, command: { type: "subscribe", channel } };
}

function withMembers(frame: string | undefined, members: string): string | undefined {
  return frame === undefined || members === "" ? frame : `${frame.slice(0, -1)},${members}}`;
}

function encodeClose(why: Disconnect): CloseFrame {
  return encodeDisconnect(why, why.afterMs === undefined ? {} : { after_ms: why.afterMs });
}
