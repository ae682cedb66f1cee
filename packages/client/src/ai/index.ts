/** `@fanfare/client/ai`: answers of language models, read from a channel: by the AI SDK's `useChat`, or as text. */

export { type FanfareChatOptions, fanfareChat } from "./chat.ts";
export type { StreamEvent } from "./event.ts";
export { type ReadOptions, readStream } from "./stream.ts";
