/** `@fanfare/client/vue`: not there yet. */

export {};
