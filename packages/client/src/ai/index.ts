/** `@fanfare/client/ai`: not there yet. */

export {};
