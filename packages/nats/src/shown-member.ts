/**
 * What is shown of a user that several nodes have. Each writes all that it knows of the member, and when which part of it was
 * said: of each part the latest counts, so that all nodes show the same, in whatever order they read what was written.
 */

import { type Member, type MemberUpdate, userInfoJson } from "fanfare/engine";

/** By the clock of the NATS server; 0 for what the user joined with. */
export interface SaidAt {
  readonly info: number;
  readonly state: number;
}

export interface ShownMember {
  readonly member: Member;
  readonly saidAt: SaidAt;
}

export const WHEN_JOINED: SaidAt = { info: 0, state: 0 };

/** Of each part the latest; of what was said at the same time, one, whichever is given first. */
export function mergeShown(one: ShownMember, other: ShownMember): ShownMember {
  const identity = isInfoLater(other, one) ? other : one;
  const { state } = isStateLater(other, one) ? other.member : one.member;
  const { state: _, ...member } = identity.member;
  const saidAt = {
    info: Math.max(one.saidAt.info, other.saidAt.info),
    state: Math.max(one.saidAt.state, other.saidAt.state),
  };
  return { member: state === undefined ? member : { ...member, state }, saidAt };
}

/** Undefined where they show the same. */
export function differenceOf(before: Member, after: Member): MemberUpdate | undefined {
  const isInfoSame = userInfoJson(before) === userInfoJson(after);
  if (isInfoSame && before.state === after.state) return undefined;
  const { id, info, infoText } = after;
  const said = { info: info ?? null, ...(infoText !== undefined && { infoText }) };
  return {
    id,
    ...(!isInfoSame && said),
    ...(before.state !== after.state && { state: after.state ?? null }),
  };
}

/** Whether a part of it was said later than what is written of the same part. */
export function isAheadOf(known: SaidAt, written: SaidAt): boolean {
  return known.info > written.info || known.state > written.state;
}

function isInfoLater(a: ShownMember, b: ShownMember): boolean {
  if (a.saidAt.info !== b.saidAt.info) return a.saidAt.info > b.saidAt.info;
  return a.saidAt.info > 0 && userInfoJson(a.member) > userInfoJson(b.member);
}

function isStateLater(a: ShownMember, b: ShownMember): boolean {
  if (a.saidAt.state !== b.saidAt.state) return a.saidAt.state > b.saidAt.state;
  return (a.member.state ?? "") > (b.member.state ?? "");
}
