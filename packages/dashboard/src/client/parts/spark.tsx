/** A line over time without axes, beside the number that it belongs to. */

interface SparkProps {
  readonly values: readonly number[];
  /** A custom property of the style sheet, such as `--line-1`. */
  readonly color: string;
}

const WIDTH = 240;
const HEIGHT = 32;

export function Spark({ values, color }: SparkProps) {
  const most = Math.max(1, ...values);
  const at = (value: number, index: number) => {
    const x = values.length < 2 ? WIDTH : (index / (values.length - 1)) * WIDTH;
    return `${x.toFixed(1)} ${(HEIGHT - 1 - (value / most) * (HEIGHT - 3)).toFixed(1)}`;
  };
  const line = values.map((value, index) => `${index === 0 ? "M" : "L"}${at(value, index)}`).join("");
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      {values.length > 1 && (
        <>
          <path d={`${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} fill={`var(${color})`} opacity="0.12" />
          <path d={line} fill="none" stroke={`var(${color})`} stroke-width="1.5" vector-effect="non-scaling-stroke" />
        </>
      )}
    </svg>
  );
}
