/** Loaded by publishers that check what they publish, and by no other. */

export { createChecker } from "@fanfare/schema";
