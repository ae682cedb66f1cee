/** A time of one's own for the charts of Insights: from when, and until when. */

import { useState } from "preact/hooks";
import { Dialog } from "../parts/dialog.tsx";
import { change, place } from "../route.ts";
import { chosenTime } from "./series.ts";

const DAY_MS = 86_400_000;

export function CustomRange({ onClose }: { onClose: () => void }) {
  const known = chosenTime(place.value.params);
  const [from, putFrom] = useState(localText(known?.fromMs ?? Date.now() - DAY_MS));
  const [to, putTo] = useState(known?.toMs === undefined ? "" : localText(known.toMs));
  const chosen = chosenTime({ from, to });
  const submit = (event: Event) => {
    event.preventDefault();
    if (!chosen) return;
    const until = chosen.toMs === undefined ? undefined : new Date(chosen.toMs).toISOString();
    change({ range: "custom", from: new Date(chosen.fromMs).toISOString(), to: until, since: undefined });
    onClose();
  };
  return (
    <Dialog title="Custom range" onClose={onClose}>
      <form onSubmit={submit} aria-label="Custom range">
        <label class="field">
          <span>From</span>
          <input type="datetime-local" required value={from} onInput={(event) => putFrom(event.currentTarget.value)} />
        </label>
        <label class="field">
          <span>To (now, if empty)</span>
          <input type="datetime-local" value={to} onInput={(event) => putTo(event.currentTarget.value)} />
        </label>
        {!chosen && <p class="bad-text">The end has to be after the beginning.</p>}
        <p class="soft">Intervals are kept for two days, hours for 31 days, days longer.</p>
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={!chosen}>
            Show
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** As the field has it: in the person's time zone, to the minute. */
function localText(ms: number): string {
  const offsetMs = new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(ms - offsetMs).toISOString().slice(0, 16);
}
