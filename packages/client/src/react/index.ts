/** `@fanfare/client/react`: not there yet. */

export {};
