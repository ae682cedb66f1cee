/** What the page remembers as long as its tab lives. */

type Remembered = "name" | "robot";

/** Where storage is switched off. */
const memory = new Map<Remembered, string>();

export function recall(what: Remembered): string {
  try {
    return sessionStorage.getItem(`fanfare-demo-${what}`) ?? "";
  } catch {
    return memory.get(what) ?? "";
  }
}

export function remember(what: Remembered, value: string): void {
  memory.set(what, value);
  try {
    sessionStorage.setItem(`fanfare-demo-${what}`, value);
  } catch {
    // Then it is forgotten with the page.
  }
}
