/** `@fanfare/client/pusher`: not there yet. */

export {};
