/** A small button in a channel's tag, which takes somebody out of it. */

import { Act } from "./act.tsx";
import { Icon } from "./icon.tsx";

export function Unlink({
  channel,
  act,
  isDisabled = false,
}: {
  channel: string;
  act: () => void;
  isDisabled?: boolean;
}) {
  return (
    <Act needs="operate" look="quiet" isDisabled={isDisabled} act={act}>
      <span class="unseen">{channel}: Kick…</span>
      <Icon name="x" isSmall />
    </Act>
  );
}
