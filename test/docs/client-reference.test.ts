/** The reference in docs/clients.md is made of the client's doc comments. */

import { expect, test } from "bun:test";
import { DOCUMENT, readShapes, renderReference } from "../../scripts/client-docs.ts";

const document = await Bun.file(DOCUMENT).text();

test("the client's reference is up to date (else: npm run generate)", () => {
  expect(document).toBe(renderReference(document));
});

test("everything in it says what it is", () => {
  const bare = document.split("\n").filter((line) => /^\| `.*` \| +\|$/.test(line));
  expect(bare).toEqual([]);
  expect(document.match(/^\| `/gm)?.length).toBeGreaterThan(60);
});

test("an interface that does not exist is named", () => {
  const block = "<!-- reference Nothing -->\n<!-- end -->";
  expect(() => renderReference(block)).toThrow("The client exports no interface Nothing.");
});

test("members keep their comments, whatever is in their types", () => {
  const source = `
/** Of the shape. */
export interface Shape<T> {
  readonly plain: string;
  /**
   * On two
   * lines.
   */
  on(
    event: string,
    listener: (data: { readonly a: string; readonly b: T }) => void,
  ): void;
}
`;
  expect(readShapes(source).get("Shape")).toEqual({
    comment: "Of the shape.",
    members: [
      ["plain: string", ""],
      ["on(event: string, listener: (data: { a: string; b: T }) => void): void", "On two lines."],
    ],
  });
});
