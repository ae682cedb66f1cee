/** The documentation as pages and sections, and a search of it by words. */

export interface Page {
  /** Below `docs/`: `operating.md`. */
  readonly path: string;
  readonly title: string;
  readonly text: string;
  readonly sections: readonly Section[];
}

interface Section {
  /** With those above it: `Dashboard > Roles`. */
  readonly heading: string;
  readonly text: string;
}

export interface Match {
  readonly page: string;
  readonly heading: string;
  readonly excerpt: string;
}

const MOST_WORDS = 12;
/** In every section, and so of no use. */
const COMMON =
  /^(?:a|an|and|are|can|do|does|for|from|how|i|in|is|it|my|not|of|on|or|the|to|what|when|where|which|why|with|you)$/;
const LONGEST_EXCERPT = 700;
const HEADING_WEIGHT = 4;
const TITLE_WEIGHT = 2;
/** Figures, and why things are as they are: what others look for stands elsewhere. */
const BACKGROUND = /^(?:bench|decisions\/)/;
const BACKGROUND_WEIGHT = 0.3;

interface Indexed extends Match {
  readonly title: string;
  readonly text: string;
}

export class Docs {
  readonly pages: ReadonlyMap<string, Page>;
  readonly #sections: readonly Indexed[];

  constructor(files: readonly (readonly [path: string, text: string])[]) {
    const pages = files.map(([path, text]) => pageOf(path, text));
    this.pages = new Map(pages.map((page) => [page.path, page]));
    this.#sections = pages.flatMap(({ path, title, sections }) =>
      sections.map(({ heading, text }) => {
        return { page: path, heading, excerpt: "", title: title.toLowerCase(), text: text.toLowerCase() };
      }),
    );
  }

  /** Sections that have all of the words come first, then those with the rarest of them. */
  search(query: string, limit: number): readonly Match[] {
    const words = wordsIn(query);
    const patterns = words.map(beginningOfWord);
    const weights = patterns.map((pattern) => this.#rarity(pattern));
    const scored = this.#sections.flatMap((section) => {
      const score = scoreOf(section, patterns, weights);
      return score > 0 ? [{ section, score }] : [];
    });
    const best = scored.toSorted((one, other) => other.score - one.score).slice(0, limit);
    return best.map(({ section: { page, heading } }) => {
      const found = this.pages.get(page)?.sections.find((one) => one.heading === heading);
      return { page, heading, excerpt: excerptOf(found?.text ?? "", patterns) };
    });
  }

  #rarity(pattern: RegExp): number {
    const having = this.#sections.filter(({ text }) => text.search(pattern) >= 0).length;
    return having === 0 ? 0 : Math.log(1 + this.#sections.length / having);
  }
}

function pageOf(path: string, text: string): Page {
  const sections = sectionsOf(text);
  return { path, title: sections[0]?.heading ?? path, text, sections };
}

/** By its headings; what looks like one in a block of code is none. */
function sectionsOf(text: string): Section[] {
  const sections: { heading: string; lines: string[] }[] = [];
  const above: string[] = [];
  let isCode = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) isCode = !isCode;
    const [, marks, name] = (isCode ? undefined : /^(#{1,4}) (.+)$/.exec(line)) ?? [];
    if (marks === undefined || name === undefined) sections.at(-1)?.lines.push(line);
    else {
      above.splice(marks.length - 1, Number.POSITIVE_INFINITY, name);
      const below = marks.length === 1 ? above : above.slice(1);
      sections.push({ heading: below.filter(Boolean).join(" > "), lines: [] });
    }
  }
  return sections.map(({ heading, lines }) => ({ heading, text: lines.join("\n").trim() }));
}

function wordsIn(query: string): string[] {
  const words = query.toLowerCase().match(/[\p{L}\p{N}_.:-]{2,}/gu) ?? [];
  const plain = words.map((word) => word.replace(/^[.:-]+|[.:-]+$/g, "")).filter(Boolean);
  const telling = plain.filter((word) => !COMMON.test(word));
  return [...new Set(telling.length > 0 ? telling : plain)].slice(0, MOST_WORDS);
}

/** Plurals and compounds begin with it as well. */
function beginningOfWord(word: string): RegExp {
  return new RegExp(`(?<![\\p{L}\\p{N}])${word.replaceAll(".", "\\.")}`, "gu");
}

function scoreOf(
  { page, heading, title, text }: Indexed,
  patterns: readonly RegExp[],
  weights: readonly number[],
): number {
  const name = heading.toLowerCase();
  let score = 0;
  let found = 0;
  for (const [index, pattern] of patterns.entries()) {
    const count = text.match(pattern)?.length ?? 0;
    const named = (name.search(pattern) < 0 ? 0 : HEADING_WEIGHT) + (title.search(pattern) < 0 ? 0 : TITLE_WEIGHT);
    if (count + named === 0) continue;
    found++;
    score += (Math.log1p(count) + named) * (weights[index] ?? 0);
  }
  return score * (found / patterns.length) ** 2 * (BACKGROUND.test(page) ? BACKGROUND_WEIGHT : 1);
}

/** From shortly before the first of the words on. */
function excerptOf(text: string, patterns: readonly RegExp[]): string {
  const lower = text.toLowerCase();
  const places = patterns.map((pattern) => lower.search(pattern)).filter((place) => place >= 0);
  const first = places.length === 0 ? 0 : Math.min(...places);
  const start = first < LONGEST_EXCERPT / 2 ? 0 : text.lastIndexOf("\n", first) + 1;
  const excerpt = text.slice(start, start + LONGEST_EXCERPT).toWellFormed();
  return `${start > 0 ? "… " : ""}${excerpt}${start + LONGEST_EXCERPT < text.length ? " …" : ""}`;
}
