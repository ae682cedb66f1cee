/** What the bindings of all frameworks refuse, in the same words. */

export function noClient(remedy: string): never {
  throw new Error(`No Fanfare client: ${remedy}.`);
}
