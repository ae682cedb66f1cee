/** Text for a terminal. */

/** Whoever wrote the text must not be able to move the cursor of the terminal that shows it. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The same, where the text may have several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
