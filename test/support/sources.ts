/** Reads sources as the architecture test needs them: what imports what, where circles are, what code says outside comments. */

import { posix } from "node:path";

/** Text by path, relative to `src`. */
export type Sources = ReadonlyMap<string, string>;

export interface Import {
  readonly from: string;
  /** A file of `src`, or the name of a package. */
  readonly to: string;
  readonly isExternal: boolean;
}

export async function readSources(folder: string): Promise<Sources> {
  const paths = Array.from(new Bun.Glob("**/*.{ts,tsx}").scanSync(folder)).sort();
  return new Map(
    await Promise.all(paths.map(async (path) => [path, await Bun.file(`${folder}/${path}`).text()] as const)),
  );
}

/** Type-only imports count: whoever must know a name depends on it. */
export function importsOf(sources: Sources): Import[] {
  return [...sources].flatMap(([from, text]) => {
    const code = withoutComments(text);
    return IMPORTS.flatMap((pattern) => Array.from(code.matchAll(pattern), ([, to = ""]) => importOf(from, to)));
  });
}

const IMPORTS = [
  /(?:^|[;\n])\s*(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"'\n]+)["']/g,
  /(?:^|[;\n])\s*import\s*["']([^"'\n]+)["']/g,
  /\bimport\(\s*["']([^"'\n]+)["']/g,
];

function importOf(from: string, to: string): Import {
  if (!to.startsWith(".")) return { from, to, isExternal: true };
  return { from, to: posix.join(posix.dirname(from), to), isExternal: false };
}

/** Each circle once, as the way round it. */
export function circles(imports: readonly Import[]): string[][] {
  const next = Map.groupBy(
    imports.filter((it) => !it.isExternal),
    (it) => it.from,
  );
  const done = new Set<string>();
  const found: string[][] = [];
  const visit = (file: string, way: string[]) => {
    const start = way.indexOf(file);
    if (start >= 0) found.push([...way.slice(start), file]);
    if (start >= 0 || done.has(file)) return;
    for (const { to } of next.get(file) ?? []) visit(to, [...way, file]);
    done.add(file);
  };
  for (const file of next.keys()) visit(file, []);
  return found;
}

/**
 * The same imports, between the parts of a layer: its folders, and the files that lie directly in it. Files of other layers are
 * left out.
 */
export function importsBetweenParts(imports: readonly Import[], layer: string): Import[] {
  const partOf = (file: string) => {
    const [first, second = "", ...rest] = file.split("/");
    return first === layer ? `${layer}/${second}${rest.length > 0 ? "/" : ""}` : undefined;
  };
  return imports.flatMap(({ from, to, isExternal }) => {
    const [mine, theirs] = [partOf(from), partOf(to)];
    return isExternal || !mine || !theirs || mine === theirs ? [] : [{ from: mine, to: theirs, isExternal }];
  });
}

export function withoutComments(text: string): string {
  return text.replace(TOKENS, (token) => (/^\/[/*]/.test(token) ? " " : token));
}

/** What remains is code: no comment, no text, no pattern. Expressions inside templates stay. */
export function bareCode(text: string): string {
  return text.replace(TOKENS, (token) => {
    if (token.startsWith("`")) return Array.from(token.matchAll(/\$\{([^}]*)\}/g), ([, inner]) => inner).join(" ; ");
    return " ";
  });
}

/** Comments, texts, templates and regular expressions, whichever starts first. */
const TOKENS = new RegExp(
  [
    String.raw`\/\/[^\n]*`,
    String.raw`\/\*[\s\S]*?\*\/`,
    String.raw`"(?:\\.|[^"\\\n])*"`,
    String.raw`'(?:\\.|[^'\\\n])*'`,
    "`(?:\\\\.|[^`\\\\])*`",
    String.raw`(?<=[(,=:[!&|?{};>]\s*|\breturn\s+)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*`,
  ].join("|"),
  "g",
);
