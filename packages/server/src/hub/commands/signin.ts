/** Sign in: the connection becomes one of a user's, and is notified of the users on that user's watchlist. */

import { userChannel } from "../../domain/channel.ts";
import type { Connection } from "../../domain/connection.ts";
import { CommandError, Disconnect, isEngineAway } from "../../domain/error.ts";
import { elementTexts, exactId, memberText } from "../../domain/json-text.ts";
import type { Command, Credentials, User } from "../../domain/message.ts";
import type { Awaitable } from "../../domain/ports.ts";
import { consistentUserInfo, parseUserInfo, userInfoJson } from "../../domain/user-info.ts";
import { setExpiry } from "../expiry.ts";
import { leaveWithdrawn } from "../grants.ts";
import type { Hub } from "../hub.ts";
import { checkUserId, isLongerThan, takeEventToken, utf8Bytes } from "../limits.ts";
import type { AuthProof } from "../revocations.ts";
import { checkUserProof } from "../signature.ts";

const REVOKED = "The token is refused: it was issued before the user was disconnected; get a new one.";
const OUTDATED = "The user was disconnected since this connection was opened; connect again, and prove it again.";

type SignIn = Extract<Command, { type: "signin" }>;

export async function signIn(hub: Hub, connection: Connection, { by, ref }: SignIn): Promise<void> {
  if (by.type === "token" || by.type === "credentials") takeEventToken(connection, hub.clock.monotonicMs());
  const askedAtMs = hub.clock.wallMs();
  const user = await identify(hub, connection, by);
  const userData = by.type === "signature" ? by.userData : userDataOf(user);
  // A signature is made for this connection, some time since it has been there.
  const atMs = by.type === "signature" ? openedAtMs(hub, connection) : askedAtMs;
  const proof = proofOf(user, atMs, () => new CommandError("unauthorized", REVOKED));
  await become(hub, connection, user, proof, () => {
    hub.push(connection, { type: "signed-in", user, userData, ...(ref !== undefined && { ref }) });
  });
  await watch(hub, connection, user.watchlist ?? []);
}

/** On its way here the user may have been in a program's hands. */
function withCheckedInfo({ infoText, ...user }: User): User {
  return infoText === undefined ? user : { ...user, ...consistentUserInfo({ info: user.info, infoText }) };
}

function userDataOf(user: User): string {
  return `{"id":${JSON.stringify(user.id)},"user_info":${userInfoJson(user)}}`;
}

/**
 * The same for a client whose welcome said that it is this user: it is known since then. Throws Disconnect where the engine is away:
 * the client would go on as nobody, and be refused what is its user's for good.
 */
export async function signInOnConnect(
  hub: Hub,
  connection: Connection,
  user: User,
  atMs = openedAtMs(hub, connection),
): Promise<void> {
  const revoked = () => new Disconnect("token_invalid", REVOKED);
  const becoming = become(hub, connection, user, proofOf(user, atMs, revoked), () => {
    // Whom the back end named where the protocol's welcome names nobody.
    if (connection.backend && !connection.protocol.acceptsTokens)
      hub.push(connection, { type: "signed-in", user, userData: userDataOf(user) });
  });
  await becoming.catch((error) => {
    throw isEngineAway(error) ? new Disconnect("engine_unavailable", error.message) : error;
  });
  await watch(hub, connection, user.watchlist ?? []);
}

/**
 * Makes the connection the user's and puts it into the user's own channel. Whatever is sent to the user after `answer` reaches
 * it, and nothing before: pusher-js drops what comes ahead of `signin_success`.
 */
async function become(
  hub: Hub,
  connection: Connection,
  user: User,
  proof: AuthProof,
  answer: () => void,
): Promise<void> {
  checkUserId(connection.app, user.id);
  const { issuedAtMs: _, expiresAtMs: __, keyId, ...known } = user;
  const { user: before } = connection;
  await hub.users.signIn(connection, known, proof);
  // A newer proof takes the place of the older one, and of its key.
  connection.signedInBy = keyId;
  leaveWithdrawn(hub, connection);
  hub.memberUpdates.showIdentity(connection, before);
  setExpiry(connection, user, hub.clock);
  const channel = userChannel(user.id);
  if (!connection.protocol.joinsUserChannel || connection.isIn(channel)) answer();
  else await hub.join(connection, channel, undefined, answer);
  await hub.steering.enter(connection);
}

/** A token says itself when it was issued; anything else is good again as soon as the back end is asked again. */
function proofOf(user: User, atMs: number, revoked: () => Error): AuthProof {
  if (user.issuedAtMs !== undefined) return { atMs: user.issuedAtMs, outdated: revoked };
  return { atMs, outdated: () => new Disconnect("proof_outdated", OUTDATED) };
}

function openedAtMs({ clock }: Hub, connection: Connection): number {
  return clock.wallMs() - (clock.monotonicMs() - connection.openedAtMs);
}

/** Whose credentials these are. */
export async function identify(hub: Hub, connection: Connection, by: Credentials): Promise<User> {
  return withCheckedInfo(await userOf(hub, connection, by));
}

function userOf(hub: Hub, connection: Connection, by: Credentials): Awaitable<User> {
  switch (by.type) {
    case "user":
      return by.user;
    case "signature":
      return verify(connection, by.auth, by.userData);
    case "token":
      return ask(hub, connection, { token: by.token });
    case "credentials":
      return ask(hub, connection, by.credentials);
  }
}

/** What no guard understands is for the program, or the app's back end. */
async function ask(hub: Hub, connection: Connection, credentials: Readonly<Record<string, unknown>>): Promise<User> {
  const user = await hub.deciders.authenticate?.(connection, credentials);
  if (user) return user;
  const unknown = "This server takes no such credentials: sign in by a token.";
  throw new CommandError("unauthorized", user === false ? "The credentials are refused." : unknown);
}

function verify({ app, id }: Connection, auth: string, userData: string): User {
  const most = app.limits.memberDataBytes + app.limits.watchlistSize * app.limits.userIdLength;
  if (isLongerThan(userData, most)) {
    const bound = `${most} (memberDataBytes, and watchlistSize times userIdLength)`;
    throw new CommandError("data_too_large", `The user data has ${utf8Bytes(userData)} bytes; at most ${bound}.`);
  }
  const keyId = checkUserProof(app, id, auth, userData);
  return { ...parseUser(userData), keyId };
}

/** Pusher protocol, user authentication: `{"id": string, "user_info"?: object, "watchlist"?: string[]}`. */
function parseUser(text: string): User {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw new CommandError("user_invalid", "user_data is not JSON.");
  }
  const { id, watchlist } = (data ?? {}) as { id?: unknown; watchlist?: unknown };
  if ((typeof id !== "string" && typeof id !== "number") || id === "") {
    throw new CommandError("user_invalid", "user_data has no id, or one that is neither string nor number.");
  }
  const watched = Array.isArray(watchlist) ? watchedIn(watchlist, memberText(text, "watchlist") ?? "") : [];
  const info = parseUserInfo(memberText(text, "user_info"));
  return { id: exactId(id, memberText(text, "id")), ...info, watchlist: [...new Set(watched)] };
}

function watchedIn(watchlist: readonly unknown[], text: string): readonly string[] {
  const texts = elementTexts(text);
  return watchlist.flatMap((id, at) => (isUserId(id) ? exactId(id, texts[at]) : []));
}

function isUserId(id: unknown): id is string | number {
  return (typeof id === "string" && id !== "") || typeof id === "number";
}

/** Pusher protocol, watchlist events: what is over the limit is cut off, and the client is sent what was accepted. */
async function watch(hub: Hub, connection: Connection, watchlist: readonly string[]): Promise<void> {
  const wanted = [...new Set(watchlist)];
  if (wanted.length === 0) return;
  const { watchlistSize } = connection.app.limits;
  const accepted = wanted.slice(0, watchlistSize);
  const online = await hub.users.watch(connection, accepted);
  const offline = accepted.filter((id) => !online.includes(id));
  hub.push(connection, { type: "watch", online, offline });
  if (accepted.length < wanted.length) reportCut(hub, connection, wanted.length, accepted);
}

/** Not the answer to the command, which has had one: the client is signed in, only its watchlist is cut. */
function reportCut(hub: Hub, connection: Connection, wanted: number, accepted: readonly string[]): void {
  const most = accepted.length;
  const message = `The watchlist has ${wanted} users; the first ${most} are watched (watchlistSize): ${accepted.join(", ")}`;
  const error = new CommandError("too_many_watched", message);
  hub.observe({ type: "refused", connection, error });
  hub.push(connection, { type: "refused", error });
}
