/** How much happened in the last ten minutes, refusals in red, and when the console was opened. */

import { type Volume as Step, VOLUME_STEP_MS, VOLUME_STEPS } from "../feed.ts";
import { clock, plural } from "../show.ts";

const HEIGHT = 36;
/** Of the whole width: it is drawn in units of its steps. */
const STEP = 10;
const LABELS = 5;

interface VolumeProps {
  readonly steps: readonly Step[];
  readonly nowMs: number;
  readonly openedAtMs: number;
}

export function Volume({ steps, nowMs, openedAtMs }: VolumeProps) {
  const most = Math.max(1, ...steps.map(({ all }) => all));
  const tall = (value: number) => (value === 0 ? 0 : Math.max(2, (value / most) * (HEIGHT - 4)));
  const startMs = nowMs - VOLUME_STEPS * VOLUME_STEP_MS;
  const openedAt = ((openedAtMs - startMs) / VOLUME_STEP_MS) * STEP;
  const [all, bad] = [steps.reduce((sum, step) => sum + step.all, 0), steps.reduce((sum, step) => sum + step.bad, 0)];
  return (
    <div class="volume">
      <svg
        viewBox={`0 0 ${VOLUME_STEPS * STEP} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${plural(all, "event")} in ten minutes, ${plural(bad, "refusal")}`}
      >
        {steps.map((step, index) => (
          <g key={index} class={index * STEP < openedAt - STEP ? "earlier" : ""}>
            <rect x={index * STEP} y={HEIGHT - tall(step.all)} width={STEP - 1.5} height={tall(step.all)} />
            {step.bad > 0 && (
              <rect
                class="bad"
                x={index * STEP}
                y={HEIGHT - tall(step.all)}
                width={STEP - 1.5}
                height={Math.max(3, tall(step.bad))}
              />
            )}
          </g>
        ))}
        {openedAt > 0 && <path class="opened" d={`M${openedAt.toFixed(1)} 0v${HEIGHT}`} />}
      </svg>
      <div class="volume-times" aria-hidden="true">
        {Array.from({ length: LABELS }, (_, at) => (
          <span key={at}>{clock(startMs + (at / LABELS) * VOLUME_STEPS * VOLUME_STEP_MS).slice(0, 5)}</span>
        ))}
        <span>now</span>
      </div>
    </div>
  );
}
