/**
 * Request bodies: read no further than their limit, whether they say how long they are or not, and then looked at whether they have
 * the shape that they have to have.
 */

import * as z from "zod/mini";
import english from "zod/v4/locales/en.js";
import { HttpError } from "./error-response.ts";

export class BodyTooLargeError extends HttpError {
  override readonly name = "BodyTooLargeError";
  readonly limitBytes: number;

  /** Hangs up with the answer, so that the client need not send the rest. */
  constructor(limitBytes: number, declaredBytes?: number) {
    const length = declaredBytes === undefined ? "." : `: it has ${declaredBytes}.`;
    const message = `The body is larger than ${limitBytes} bytes (limits.httpBodyBytes)${length}`;
    super(413, "data_too_large", message, { Connection: "close" });
    this.limitBytes = limitBytes;
  }
}

/** Throws BodyTooLargeError where the request says so itself. */
export function checkDeclaredLength({ headers }: Request, limitBytes: number): void {
  checkLength(headers.get("content-length"), limitBytes);
}

function checkLength(declared: string | null, limitBytes: number): void {
  const declaredBytes = Number(declared);
  if (declaredBytes > limitBytes) throw new BodyTooLargeError(limitBytes, declaredBytes);
}

/** The whole body. Throws BodyTooLargeError, and rejects with it, and with HttpError where the client breaks off. */
export function readBody(request: Request, limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const declared = request.headers.get("content-length");
  checkLength(declared, limitBytes);
  // Only where the length is not declared: asking for `request.body` makes a stream of it, at twice the cost of the call.
  if (declared !== null || !request.body) return request.bytes().then(undefined, unreadable);
  return readUndeclared(request.body, limitBytes);
}

/** A stream that somebody else reads already fails at once. */
async function readUndeclared(body: ReadableStream<Uint8Array>, limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await new Response(limitedStream(body, limitBytes)).bytes();
  } catch (error) {
    return unreadable(error);
  }
}

function unreadable(error: unknown): never {
  if (error instanceof BodyTooLargeError) throw error;
  throw new HttpError(400, "malformed", "The body could not be read to its end.");
}

export interface StreamEvents {
  /** All of it was read. */
  readonly ended?: () => void;
  readonly exceeded?: (error: BodyTooLargeError) => void;
}

/** The same body, which fails with BodyTooLargeError where it grows beyond the limit. */
export function limitedStream(
  body: ReadableStream<Uint8Array>,
  limitBytes: number,
  { ended, exceeded }: StreamEvents = {},
): ReadableStream<Uint8Array> {
  let leftBytes = limitBytes;
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        leftBytes -= chunk.byteLength;
        if (leftBytes >= 0) return controller.enqueue(chunk);
        const error = new BodyTooLargeError(limitBytes);
        exceeded?.(error);
        controller.error(error);
      },
      ...(ended && { flush: ended }),
    }),
  );
}

/** Zod's small half says nothing of what is wrong unless it is given the words. */
const { localeError: error } = english();

/** The value, or what is wrong first: where it is, and what it has to be. */
export function readShape<T>(
  shape: z.ZodMiniType<T>,
  value: unknown,
): { readonly data: T } | { readonly where: string; readonly problem: string } {
  const { data, error: wrong, success } = z.safeParse(shape, value, { error });
  if (success) return { data };
  const [issue] = wrong.issues;
  return { where: issue?.path.join(".") ?? "", problem: issue?.message ?? "" };
}
