/** Which of each sender's numbered messages were received, so that none counts twice; some may come late. */

/** Of a sender: the greatest number, and which of those behind it. */
export interface SeenNumbers {
  last: number;
  recent: number;
}

/** Which publication of which node it is: numbers grow per node. */
export interface MessageId {
  readonly sender: string;
  readonly number: number;
}

/** Senders remembered. */
const MAX_SENDERS = 256;
/** Numbers behind a sender's last one of which it is known whether they were received; what is older counts as received. */
const RECENT = 31;

export function wasSeen(seen: ReadonlyMap<string, SeenNumbers>, { sender, number }: MessageId): boolean {
  const known = seen.get(sender);
  const behind = known ? known.last - number : -1;
  return behind === 0 || behind > RECENT || (behind > 0 && (((known?.recent ?? 0) >> (behind - 1)) & 1) === 1);
}

/** Whether it was not received before; it is from now on. */
export function markSeen(seen: Map<string, SeenNumbers>, message: MessageId): boolean {
  if (wasSeen(seen, message)) return false;
  const { sender, number } = message;
  const known = seen.get(sender);
  if (!known) {
    if (seen.size >= MAX_SENDERS) seen.clear();
    seen.set(sender, { last: number, recent: 0 });
    return true;
  }
  const ahead = number - known.last;
  if (ahead > 0) {
    known.recent = ahead > RECENT ? 0 : (known.recent << ahead) | (1 << (ahead - 1));
    known.last = number;
    return true;
  }
  known.recent |= 1 << (-ahead - 1);
  return true;
}
