/** Long tests run in short in `npm test`, and at full length in `npm run soak`. */

export const soaking = process.env.SOAK === "1";

/** `scaled(120_000, 300)`: what really applies, and what stands in for it when there is no time. */
export function scaled<T>(atFullLength: T, inShort: T): T {
  return soaking ? atFullLength : inShort;
}
