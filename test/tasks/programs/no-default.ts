/** A module that is no task: it exports nothing by default. */

export const answer = 42;
