/** What a contract suite needs of a test runner: `bun:test`, Vitest and Jest have it. */

export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  test(name: string, body: () => Promise<void> | void, timeoutMs?: number): unknown;
  beforeEach(hook: () => Promise<void> | void): unknown;
  afterEach(hook: () => Promise<void> | void): unknown;
  expect(actual: unknown): Expectation;
}

/** The matchers that the suites use. */
export interface Expectation {
  readonly not: Pick<Expectation, "toBe">;
  toBe(expected: unknown): unknown;
  toBeGreaterThan(expected: number): unknown;
  toBeGreaterThanOrEqual(expected: number): unknown;
  toBeLessThan(expected: number): unknown;
  toBeLessThanOrEqual(expected: number): unknown;
  toBeUndefined(): unknown;
  toContain(expected: unknown): unknown;
  toEqual(expected: unknown): unknown;
  toHaveLength(expected: number): unknown;
  toMatchObject(expected: object): unknown;
}
