/** Counts what a test run came to, from its JUnit report. What did not run counts as failed: nothing is skipped silently. */

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  /** The tests that ran and failed. What did not run is in `failed` and `remarks` only. */
  readonly failures: readonly Failure[];
  /** The files that threw while loading, or ended the process: no test of theirs is in the report. */
  readonly missing: readonly string[];
  /** A sentence for each failure that the run itself does not print as one. */
  readonly remarks: readonly string[];
}

export interface Failure {
  readonly file: string;
  readonly name: string;
}

interface Case {
  readonly file: string;
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped" | "todo";
}

/**
 * `files` are the test files that were to run, as they were named to the runner. With `picked`, only some of their tests
 * were asked for, so that the others may be missing.
 */
export function tally(report: string, files: readonly string[], exitCode: number | null, picked = false): Tally {
  const cases = casesOf(report);
  const remarks = cases
    .filter((it) => !picked && isLeftOut(it))
    .map((it) => `${it.file}: "${it.name}" is ${it.outcome}`);
  const missing = picked ? [] : filesWithoutTests(cases, files);
  remarks.push(...missing.map(remarkOnMissing));
  const passed = cases.filter((it) => it.outcome === "passed").length;
  const failures = cases.filter((it) => it.outcome === "failed").map(({ file, name }) => ({ file, name }));
  let failed = failures.length + remarks.length;
  if (exitCode !== 0 && failed === 0) {
    remarks.push(`the test run ended with ${exitCode === null ? "a signal" : `exit code ${exitCode}`}`);
    failed++;
  }
  if (passed + failed === 0) {
    remarks.push("no test ran");
    failed++;
  }
  return { passed, failed, failures, missing, remarks };
}

function isLeftOut(it: Case): boolean {
  return it.outcome === "skipped" || it.outcome === "todo";
}

function filesWithoutTests(cases: readonly Case[], files: readonly string[]): string[] {
  const seen = new Set(cases.map((it) => it.file));
  return files.filter((file) => !seen.has(file));
}

export function remarkOnMissing(file: string): string {
  return `${file}: none of its tests was reported`;
}

function casesOf(report: string): Case[] {
  return Array.from(report.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g), ([, attributes, body]) => ({
    file: attribute(attributes, "file"),
    name: [attribute(attributes, "classname"), attribute(attributes, "name")].filter(Boolean).join(" > "),
    outcome: outcomeOf(body ?? ""),
  }));
}

function outcomeOf(body: string): Case["outcome"] {
  if (/<(failure|error)\b/.test(body)) return "failed";
  if (/<skipped\b[^>]*message="TODO"/.test(body)) return "todo";
  return /<skipped\b/.test(body) ? "skipped" : "passed";
}

function attribute(attributes: string | undefined, name: string): string {
  const value = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes ?? "")?.[1] ?? "";
  return value.replace(/&(lt|gt|quot|apos|amp);/g, (_, entity: keyof typeof ENTITIES) => ENTITIES[entity]);
}

const ENTITIES = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" } as const;
