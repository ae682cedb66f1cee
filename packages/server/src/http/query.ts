/** The parameters of an address, without the object that otherwise looks them up: of a handshake that is a microsecond less. */

import type { RequestUrl } from "./request-url.ts";

export class Query {
  readonly #url: RequestUrl;
  /** With the question mark; undefined where anything in it is escaped. */
  readonly #plain: string | undefined;

  constructor(url: RequestUrl) {
    const { search } = url;
    this.#url = url;
    this.#plain = /[%+]/.test(search) ? undefined : search;
  }

  /** As of URLSearchParams: the first of that name, or null. The name is made of letters. */
  get(name: string): string | null {
    const text = this.#plain;
    if (text === undefined) return this.#url.searchParams.get(name);
    for (let from = 1; from < text.length; ) {
      const next = text.indexOf("&", from);
      const end = next < 0 ? text.length : next;
      const at = from + name.length;
      if (text.startsWith(name, from)) {
        if (at === end) return "";
        if (text[at] === "=") return text.slice(at + 1, end);
      }
      from = end + 1;
    }
    return null;
  }
}
