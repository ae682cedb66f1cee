/** A stream's events as the chunks that the AI SDK makes messages of. */

import type { UIMessageChunk } from "ai";
import type { StreamEvent } from "./event.ts";

/**
 * Text becomes one text part of a message whose id is the stream's, so that whoever reads it again replaces the message. Parts that are
 * not text are chunks already (`toUIMessageStream`).
 */
export function toChunks(id: string, onEnd: () => void): TransformStream<StreamEvent, UIMessageChunk> {
  let isOpen = false;
  return new TransformStream({
    transform({ type, text, parts = [] }, controller) {
      const put = (...chunks: UIMessageChunk[]) => {
        for (const chunk of chunks) controller.enqueue(chunk);
      };
      if (text !== undefined) {
        if (!isOpen) put({ type: "start", messageId: id }, { type: "start-step" }, { type: "text-start", id });
        isOpen = true;
        put({ type: "text-delta", id, delta: text });
      }
      put(...(parts as UIMessageChunk[]));
      if (type === "start" || type === "delta") return;
      if (isOpen) put({ type: "text-end", id }, { type: "finish-step" });
      if (type === "error") put({ type: "error", errorText: "The answer broke off." });
      else if (type === "aborted") put({ type: "abort" });
      else if (isOpen) put({ type: "finish" });
    },
    flush: onEnd,
  });
}
