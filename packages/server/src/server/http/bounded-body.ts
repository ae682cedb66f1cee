/** A request's body as a program may read it: no larger than the server allows. */

import { bodyTooLarge } from "../../protocols/pusher/request-body.ts";
import { errorResponse } from "./error-response.ts";

export interface BoundedBody {
  readonly request: Request;
  /** More came than may; whoever read it got an error. */
  isOver(): boolean;
}

/** A request whose body ends with an error where it grows too large. `read` is called when all of it is there. */
export function boundedBody(
  request: Request,
  body: ReadableStream<Uint8Array>,
  mostBytes: number,
  read: () => void,
): BoundedBody {
  let left = mostBytes;
  const bounded = body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        left -= chunk.byteLength;
        if (left < 0) controller.error(new RangeError(`The body is larger than ${mostBytes} bytes.`));
        else controller.enqueue(chunk);
      },
      flush: read,
    }),
  );
  return { request: new Request(request, { body: bounded }), isOver: () => left < 0 };
}

/** Hangs up, so that nobody has to wait for the rest. */
export function bodyTooLargeResponse(request: Request, mostBytes: number): Response {
  const { status, code, message } = bodyTooLarge(request, mostBytes);
  return errorResponse(status, code, message, { Connection: "close" });
}
