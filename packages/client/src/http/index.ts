/** `@fanfare/client/http`: transports for networks that let no WebSocket through. */

export { poll } from "./poll.ts";
export { stream } from "./stream.ts";
