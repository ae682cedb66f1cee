/** A button that changes something on the server: where that cannot be done now, it is disabled and says why. */

import type { Role } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { obstacle } from "../session.ts";

interface ActProps {
  readonly needs: Role;
  readonly act: () => void;
  readonly look?: "primary" | "danger" | "quiet" | undefined;
  readonly isDisabled?: boolean;
  readonly children: ComponentChildren;
}

export function Act({ needs, act, look, isDisabled = false, children }: ActProps) {
  const why = obstacle(needs);
  return (
    <button type="button" class={look} disabled={isDisabled || why !== undefined} title={why} onClick={act}>
      {children}
    </button>
  );
}
