/** The address of a request, as far as most requests are asked for it: where it is plain it is cut in place of being parsed. */

/** What of a URL the server's own HTTP looks at. */
export type RequestUrl = Pick<URL, "href" | "protocol" | "pathname" | "search" | "searchParams">;

/** A path and parameters that are the same before and after they are parsed: nothing escaped, no dots in the path, no fragment. */
const PLAIN = /^\/[\w/-]*(?:\?[\w.,=&-]*)?$/;

/** Null where the Host header is no host. Each remembers the last origin that it has found to be one. */
export function urlReader(): (request: Request) => RequestUrl | null {
  let origin = "";
  let protocol = "";
  return (request) => {
    const { url: href } = request;
    if (origin !== "" && href.startsWith(origin)) {
      const target = href.slice(origin.length);
      // A sixtieth of a trigger: `URL` parses what Bun has parsed, and makes a new text each time that it is asked for a part.
      if (PLAIN.test(target)) return new PlainUrl(href, protocol, target);
    }
    const url = parseUrl(request);
    if (url) ({ origin, protocol } = url);
    return url;
  };
}

/** The same as a URL. HTTP/1.0 needs no Host header, and then the URL is only a path. */
function parseUrl(request: Request): URL | null {
  return URL.parse(request.url) ?? (request.headers.has("host") ? null : URL.parse(request.url, "http://localhost"));
}

class PlainUrl implements RequestUrl {
  readonly href: string;
  readonly protocol: string;
  readonly pathname: string;
  readonly search: string;
  #searchParams: URLSearchParams | undefined;

  constructor(href: string, protocol: string, target: string) {
    const at = target.indexOf("?");
    this.href = href;
    this.protocol = protocol;
    this.pathname = at < 0 ? target : target.slice(0, at);
    // A question mark with nothing behind it is no part of it.
    this.search = at < 0 || at === target.length - 1 ? "" : target.slice(at);
  }

  get searchParams(): URLSearchParams {
    this.#searchParams ??= new URLSearchParams(this.search);
    return this.#searchParams;
  }
}

/** The key in a path of Pusher's clients: what is last in it, with or without a slash behind it, if `/app/` is before that. A regular expression leaves a list and two more texts. */
export function pusherKeyIn(path: string): string | undefined {
  const end = path.endsWith("/") ? path.length - 1 : path.length;
  const from = path.lastIndexOf("/", end - 1) + 1;
  return from < end && path.endsWith("/app/", from) ? path.slice(from, end) : undefined;
}
