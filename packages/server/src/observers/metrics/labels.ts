/** Keeps the number of different labels bounded: each is a time series, and clients must not be able to make them. */

/** Apps with a label of their own; those that come later share one. */
const MOST_APPS = 1_000;

export class Labels {
  readonly #apps = new Set<string>();

  app(id: string): string {
    if (this.#apps.has(id)) return id;
    if (this.#apps.size >= MOST_APPS) return "others";
    this.#apps.add(id);
    return id;
  }
}
