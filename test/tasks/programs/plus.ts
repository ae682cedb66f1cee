/** What a task's module imports. */

export function plus(a: number, b: number): number {
  return a + b;
}
