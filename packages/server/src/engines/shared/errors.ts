/** What can go wrong between a node and its engine, by what may be done about it. */

/** It never left this node: nothing has happened. */
export class NotSentError extends Error {
  override readonly name = "NotSentError";
}

/** It was sent and no answer came: it may have happened or not. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
}
