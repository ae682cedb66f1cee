/** permessage-deflate (RFC 7692), where it is switched on. */

import type { WebSocketCompressor } from "bun";

/** Below that, what it saves is less than what it costs. In UTF-16 units or bytes: it is a rule of thumb. */
const MIN_LENGTH = 512;

/**
 * One window for all sockets instead of tens of kilobytes for each: no message leans on the one before it. Bun inflates up to the largest
 * frame, and closes with 1009 beyond it, so that 40 KB never become 40 MB.
 */
export function compressionOptions(
  isOn: boolean,
): false | { readonly compress: WebSocketCompressor; readonly decompress: WebSocketCompressor } {
  return isOn && { compress: "shared", decompress: "shared" };
}

export function isWorthCompressing(length: number): boolean {
  return length >= MIN_LENGTH;
}
