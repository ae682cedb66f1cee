/** Reads the HTTP/1.1 responses of one connection, one after the other, as their bytes come. */

export interface ResponseListener {
  /** A part of a body. */
  body(bytes: Uint8Array): void;
  /** A body is over. */
  end(): void;
}

const NEW_LINE = 10;

export class ResponseReader {
  readonly #listener: ResponseListener;
  /** Of the response under way. */
  status = 0;
  #line = "";
  #isInHead = true;
  #isChunked = false;
  #isLastChunk = false;
  /** What its head says of the body. */
  #length = 0;
  /** Of the body, or of its chunk. */
  #left = 0;

  constructor(listener: ResponseListener) {
    this.#listener = listener;
  }

  add(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const part = bytes.subarray(at, at + this.#left);
        at += part.length;
        this.#left -= part.length;
        this.#listener.body(part);
        if (this.#left === 0 && !this.#isChunked) this.#end();
        continue;
      }
      const end = bytes.indexOf(NEW_LINE, at);
      this.#line += latin1(bytes.subarray(at, end < 0 ? bytes.length : end));
      if (end < 0) return;
      at = end + 1;
      const line = this.#line.trimEnd();
      this.#line = "";
      if (this.#isInHead) this.#readHead(line);
      else this.#readChunkLine(line);
    }
  }

  #readHead(line: string): void {
    if (line !== "") {
      const [, status, length, chunked] =
        /^HTTP\/1\.1 (\d{3})|^content-length: *(\d+)|^(transfer-encoding: *chunked)/i.exec(line) ?? [];
      if (status) this.status = Number(status);
      if (length) this.#length = Number(length);
      if (chunked) this.#isChunked = true;
      return;
    }
    this.#isInHead = false;
    this.#left = this.#length;
    if (this.#left === 0 && !this.#isChunked) this.#end();
  }

  /** The size of the next chunk, or what is behind one. */
  #readChunkLine(line: string): void {
    if (line === "") {
      if (this.#isLastChunk) this.#end();
      return;
    }
    this.#left = Number.parseInt(line, 16);
    this.#isLastChunk = this.#left === 0;
  }

  #end(): void {
    this.#isInHead = true;
    this.#isChunked = false;
    this.#isLastChunk = false;
    this.#length = 0;
    this.#listener.end();
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
