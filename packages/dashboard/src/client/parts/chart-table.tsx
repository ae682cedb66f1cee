/** A chart's values as a table, for who does not see lines, or wants the numbers. */

import { clock, dateAndTime } from "../show.ts";

export interface ChartData {
  readonly title: string;
  /** Unix seconds, rising, one for each value. */
  readonly times: readonly number[];
  readonly lines: readonly { readonly label: string; readonly values: readonly (number | null)[] }[];
  /** From and to, in Unix seconds. */
  readonly range: readonly [number, number];
  readonly show: (value: number) => string;
}

interface TableRow {
  readonly key: number;
  readonly time: string;
  readonly values: readonly string[];
}

const MOST_ROWS = 300;

export function ChartTable({ title, times, lines, range, show }: ChartData) {
  const rows = times.flatMap((timeS, index) => {
    const values = lines.map((line) => line.values[index] ?? null);
    return timeS >= range[0] && values.some((value) => value !== null) ? [{ timeS, values }] : [];
  });
  const newest = rows.toReversed().slice(0, MOST_ROWS);
  return (
    <ValuesTable
      title={title}
      labels={lines.map(({ label }) => label)}
      rows={newest.map(({ timeS, values }) => ({
        key: timeS,
        time: dateAndTime(timeS * 1000),
        values: values.map((value) => valueText(value, show)),
      }))}
    />
  );
}

/** Rows as they come: newest first. */
export function ValuesTable(props: {
  readonly title: string;
  readonly labels: readonly string[];
  readonly rows: readonly TableRow[];
}) {
  const { title, labels, rows } = props;
  return (
    <div class="table chart-table">
      <table aria-label={title}>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {labels.map((label) => (
              <th key={label} scope="col" class="number">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, time, values }) => (
            <tr key={key}>
              <th scope="row">{time}</th>
              {values.map((value, at) => (
                <td key={labels[at]} class="number">
                  {value}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function valueText(value: number | null | undefined, show: (value: number) => string): string {
  return value === null || value === undefined ? "–" : show(value);
}

const MINUTES = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const DAY_MINUTES = new Intl.DateTimeFormat(undefined, {
  ...{ month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false },
});

/** As exact as the length of what is shown asks for. */
export function timeText(ms: number, [from, to]: readonly [number, number]): string {
  if (to - from <= 3_600) return clock(ms).slice(0, 8);
  return to - from <= 86_400 ? MINUTES.format(ms) : DAY_MINUTES.format(ms);
}
