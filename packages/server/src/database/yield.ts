/** SQLite answers within the step of the program in which it is asked: between two long questions, messages have to pass. */
export function yieldToMessages(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
