/** What a check found, and how it is shown. */

import { plural, printable } from "../output.ts";

export interface Finding {
  readonly check: string;
  readonly level: "ok" | "warning" | "problem";
  readonly says: string;
  /** What to do about it. */
  readonly change?: string;
}

/** Findings of one check, each with less to write. */
export function findings(check: string) {
  return {
    ok: (says: string): Finding => ({ check, level: "ok", says }),
    warning: (says: string, change: string): Finding => ({ check, level: "warning", says, change }),
    problem: (says: string, change: string): Finding => ({ check, level: "problem", says, change }),
  };
}

export function findingsText(all: readonly Finding[]): string {
  const width = Math.max(...all.map(({ check }) => check.length)) + 2;
  const lines = all.flatMap(({ check, level, says, change }) => {
    const line = `${level.padEnd(9)}${check.padEnd(width)}${says}`;
    return change === undefined ? [line] : [line, `${" ".repeat(9 + width)}→ ${change}`];
  });
  const count = (level: Finding["level"]) => plural(all.filter((one) => one.level === level).length, level);
  const summary = `${count("problem")}, ${count("warning")}`.replaceAll(/\b0 /g, "no ");
  return [...lines.map(printable), "", summary].join("\n");
}
