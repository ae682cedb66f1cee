/** Reads the most frequent frame of the Pusher protocol without parsing all of it. */

import type { Command } from "../../domain/message.ts";
import type { Frame } from "../../domain/transport.ts";
import { jsonIn, plainEnd } from "../json.ts";

/**
 * A client event as libraries write it: the event first, then data and channel in either order, no space between them, no escape in the
 * names, and data that are no string. The data are cut out of the frame, and parsed only to see whether they are JSON: 0.2 µs in place
 * of 0.5. Undefined for everything else, faults included.
 */
export function decodePlainEvent(frame: Frame, jsonDepth: number): Command | undefined {
  if (typeof frame !== "string" || !frame.startsWith(EVENT_HEAD)) return undefined;
  const eventEnd = plainEnd(frame, EVENT_HEAD.length);
  if (eventEnd < 0) return undefined;
  const isChannelFirst = frame.startsWith(TO_CHANNEL, eventEnd);
  const channelAt = isChannelFirst
    ? eventEnd + TO_CHANNEL.length
    : frame.lastIndexOf(LAST_CHANNEL) + LAST_CHANNEL.length;
  const channelEnd = plainEnd(frame, channelAt);
  const dataAt = (isChannelFirst ? channelEnd : eventEnd) + TO_DATA.length;
  const dataEnd = isChannelFirst ? frame.length - 1 : channelAt - LAST_CHANNEL.length;
  const isWhole = isChannelFirst ? frame.endsWith("}") : channelEnd === frame.length - 2 && frame.endsWith('"}');
  if (channelEnd < 0 || !isWhole || !frame.startsWith(TO_DATA, dataAt - TO_DATA.length)) return undefined;
  const data = jsonIn(frame, dataAt, dataEnd, jsonDepth - 1);
  if (data === undefined) return undefined;
  return {
    type: "publish",
    channel: frame.slice(channelAt, channelEnd),
    event: frame.slice(EVENT_AT, eventEnd),
    data,
  };
}

const EVENT_HEAD = '{"event":"client-';
const EVENT_AT = '{"event":"'.length;
const TO_CHANNEL = '","channel":"';
const LAST_CHANNEL = ',"channel":"';
const TO_DATA = '","data":';
