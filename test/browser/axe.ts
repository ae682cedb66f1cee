/** What axe-core finds on a page against WCAG 2.1, levels A and AA. */

import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";

/** Not as a script of the page: its policy allows no other. */
const AXE = await Bun.file(fileURLToPath(import.meta.resolve("axe-core/axe.min.js"))).text();
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];

interface Axe {
  run(
    options: object,
  ): Promise<{ violations: readonly { id: string; nodes: readonly { html: string; failureSummary: string }[] }[] }>;
}

export async function violationsOf(page: Page): Promise<readonly string[]> {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  return await page.evaluate(async (tags) => {
    const axe = Reflect.get(window, "axe") as Axe;
    const { violations } = await axe.run({ runOnly: { type: "tag", values: tags } });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary.slice(0, 300)}`),
    );
  }, TAGS);
}
