/** What clients read of an act that they did not ask for, whoever did it, and however: one wording for each. */

export const KICKED = "This connection was kicked from the channel.";
export const UNSUBSCRIBED = "This connection was unsubscribed from the channel.";
export const RECONNECT = "This client is asked to connect again.";
export const ENDED = "This connection was ended.";
