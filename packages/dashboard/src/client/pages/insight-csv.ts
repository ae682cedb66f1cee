/** The charts of Insights as a file for a spreadsheet: a row for each point in time, a column for each line. */

import type { ChartLine } from "./insight-lines.ts";

export interface CsvPart {
  readonly title: string;
  readonly timesMs: readonly number[];
  readonly lines: readonly ChartLine[];
}

/** Times of all charts in one column. What is unknown is empty. */
export function csvOf(parts: readonly CsvPart[]): string {
  const times = [...new Set(parts.flatMap(({ timesMs }) => timesMs))].sort((one, other) => one - other);
  const columns = parts.flatMap(({ title, timesMs, lines }) => {
    const places = new Map(timesMs.map((atMs, place) => [atMs, place]));
    return lines.map(({ label, values }) => ({
      name: `${title}: ${label}`,
      valueAt: (atMs: number) => values[places.get(atMs) ?? -1] ?? "",
    }));
  });
  const rows = times.map((atMs) => [new Date(atMs).toISOString(), ...columns.map(({ valueAt }) => valueAt(atMs))]);
  return `${[["time", ...columns.map(({ name }) => name)], ...rows].map(lineOf).join("\r\n")}\r\n`;
}

/** Where a page may not navigate, a link may still be followed. */
export function download(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function lineOf(cells: readonly (string | number)[]): string {
  return cells.map(cell).join(",");
}

/** Quoted as RFC 4180 says; a name that a spreadsheet would take for a formula is none. */
function cell(value: string | number): string {
  if (typeof value === "number") return String(Math.round(value * 1_000) / 1_000);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
