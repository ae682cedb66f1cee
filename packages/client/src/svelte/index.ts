/** `@fanfare/client/svelte`: not there yet. */

export {};
