/** What is around the lines of a chart: where nothing is known, what changed, and where a limit is. */

import type uPlot from "uplot";

export interface Around {
  /** From and to, in Unix seconds. */
  readonly missing?: readonly (readonly [number, number])[];
  readonly marks?: readonly { readonly atS: number; readonly label: string }[];
  readonly limit?: { readonly value: number; readonly label: string } | undefined;
}

const HATCH = 6;
/** Words that would lie on each other are left out. */
const WORD_SPACE = 90;

/** Before the lines: what is missing is hatched, which is neither zero nor blank. */
export function drawBelow(plot: uPlot, box: HTMLElement, { missing = [] }: Around): void {
  if (missing.length === 0) return;
  const { ctx, bbox } = plot;
  const pattern = ctx.createPattern(hatch(resolved(box, "var(--line-strong)")), "repeat");
  if (!pattern) return;
  ctx.save();
  ctx.fillStyle = pattern;
  for (const [from, to] of missing) {
    const left = Math.max(bbox.left, plot.valToPos(from, "x", true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, "x", true));
    if (right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height);
  }
  ctx.restore();
}

/** Over the lines: changes from top to bottom, the limit from left to right. */
export function drawAbove(plot: uPlot, box: HTMLElement, { marks = [], limit }: Around): void {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.font = `${11 * scale}px ${getComputedStyle(box).fontFamily}`;
  ctx.textAlign = "right";
  ctx.textBaseline = "top";
  ctx.lineWidth = scale;
  ctx.setLineDash([2 * scale, 3 * scale]);
  ctx.strokeStyle = ctx.fillStyle = resolved(box, "var(--soft)");
  let wordAt = Number.NEGATIVE_INFINITY;
  for (const { atS, label } of marks) {
    const x = plot.valToPos(atS, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    line(ctx, x, bbox.top, x, bbox.top + bbox.height);
    if (x - wordAt < WORD_SPACE * scale) continue;
    const isRoomLeft = x - bbox.left > ctx.measureText(label).width + 8 * scale;
    ctx.textAlign = isRoomLeft ? "right" : "left";
    ctx.fillText(label, x + (isRoomLeft ? -4 : 4) * scale, bbox.top + 2 * scale);
    wordAt = x;
  }
  if (limit) {
    const y = plot.valToPos(limit.value, "y", true);
    ctx.strokeStyle = ctx.fillStyle = resolved(box, "var(--bad-line)");
    ctx.setLineDash([4 * scale, 4 * scale]);
    line(ctx, bbox.left, y, bbox.left + bbox.width, y);
    ctx.textAlign = "right";
    ctx.textBaseline = "bottom";
    ctx.fillText(limit.label, bbox.left + bbox.width - 4 * scale, y - 2 * scale);
  }
  ctx.restore();
}

function line(ctx: CanvasRenderingContext2D, fromX: number, fromY: number, toX: number, toY: number): void {
  ctx.beginPath();
  ctx.moveTo(fromX, fromY);
  ctx.lineTo(toX, toY);
  ctx.stroke();
}

function hatch(color: string): HTMLCanvasElement {
  const size = HATCH * devicePixelRatio;
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const ctx = tile.getContext("2d");
  if (!ctx) return tile;
  ctx.strokeStyle = color;
  ctx.lineWidth = devicePixelRatio;
  for (const shift of [-size, 0, size]) line(ctx, shift, size, shift + size, 0);
  return tile;
}

/** A canvas knows no custom properties: what the style sheet makes of the colour. */
export function resolved(box: HTMLElement, wanted: string): string {
  const probe = document.createElement("i");
  probe.style.color = wanted;
  box.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
