/** How it stands with a receiver of webhooks, in words that fit a line. */

import type { WebhookReceiver } from "fanfare/wire/admin";

/** It took nothing that it was sent last. */
export function isFailing({ failingSinceMs, isResting }: WebhookReceiver): boolean {
  return isResting || failingSinceMs !== undefined;
}

/** An address without what all of them begin with. */
export function shortTarget(target: string): string {
  return target.replace(/^https?:\/\//, "");
}
