/** Verifies JSON Web Tokens and says whose they are: at the door (`?token=`, `Authorization: Bearer`) and afterwards. */

import type { JWTPayload, JWTVerifyGetKey } from "jose";
import type { App, TokenRules } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import { CommandError, Disconnect } from "../domain/error.ts";
import { exactId, memberText } from "../domain/json-text.ts";
import type { Command, Credentials, User } from "../domain/message.ts";
import type { Awaitable, Guard } from "../domain/ports.ts";
import { parseUserInfo } from "../domain/user-info.ts";
import { checkUserId } from "../hub/limits.ts";
import type { Authenticate, BackEndAtDoor, TokenClaim } from "../hub/options.ts";
import { keyId } from "../hub/signature.ts";

/** Longest token that is looked at, in characters. */
const TOKEN_LENGTH = 8192;

/** Without rules of its own, an app's tokens are signed with its secret. */
const DEFAULT_RULES: TokenRules = { algorithms: ["HS256"], clockToleranceS: 5 };

/** Asks the issuer again at most this often, so that tokens with made-up key ids can't make us hammer it. */
const JWKS_COOLDOWN_MS = 30_000;
const JWKS_TIMEOUT_MS = 5_000;

type SignIn = Extract<Command, { type: "signin" }>;

interface VerifyingKey {
  readonly key: CryptoKey | Uint8Array | JWTVerifyGetKey;
  /** Absent where the issuer may change it at any time. */
  readonly id?: string;
}

/** Nobody can say whether the token is good, so the client may come back with the same one. */
class IssuerUnavailable extends Error {
  constructor(cause: unknown) {
    super("The token cannot be verified now: the issuer's keys cannot be fetched.", { cause });
  }
}

/** Verifies a token for an app and says whose it is; throws what `reasonOf` puts into words. */
export type TokenVerifier = (app: App, token: string) => Promise<User>;

export function tokenVerifier(): TokenVerifier {
  const keys = new WeakMap<App, Promise<readonly VerifyingKey[]>>();
  return async (app, token) => {
    if (token.length > TOKEN_LENGTH) throw new Error(`it is longer than ${TOKEN_LENGTH} characters`);
    let ready = keys.get(app);
    if (!ready) {
      ready = keysOf(app.token, app.secrets);
      keys.set(app, ready);
    }
    const rules = app.token ?? DEFAULT_RULES;
    const { claims, keyId } = await verified(rules, await ready, token);
    const user = { ...userOf(claims, textIn(token), rules), ...(keyId !== undefined && { keyId }) };
    checkUserId(app, user.id);
    return user;
  };
}

/** The claims of a token that is no app's, by rules that say whose signature counts; rejects where it is not valid. */
export function claimsVerifier(rules: TokenRules): (token: string) => Promise<JWTPayload> {
  let keys: ReturnType<typeof keysOf> | undefined;
  return async (token) => {
    if (token.length > TOKEN_LENGTH) throw new Error(`it is longer than ${TOKEN_LENGTH} characters`);
    keys ??= keysOf(rules, []);
    return (await verified(rules, await keys, token)).claims;
  };
}

/**
 * What it refuses, somebody else may know: `authenticate` is asked at the door, and decides about commands, once there is
 * anybody to ask (`hasMore`). An issuer that is away is no refusal.
 */
export interface MoreAuthority {
  readonly authenticate: Authenticate;
  readonly hasMore: (app: App) => boolean;
  /** Of apps with hooks; where they have a hook for that, it has the last word on who connects. */
  readonly backEnd?: BackEndAtDoor;
}

/** Whose the token is. Throws CommandError where its signature or its claims are not what the app takes. */
export async function userOfToken(verify: TokenVerifier, app: App, token: string): Promise<User> {
  try {
    return await verify(app, token);
  } catch (error) {
    if (error instanceof IssuerUnavailable) throw new CommandError("issuer_unavailable", error.message);
    throw new CommandError("unauthorized", `The token is refused: ${reasonOf(error)}.`);
  }
}

export function tokenGuard(more?: MoreAuthority, verify: TokenVerifier = tokenVerifier()): Guard {
  const hasMore = (app: App) => more?.hasMore(app) ?? false;
  const backEndOf = ({ hooks }: App) => (hooks?.connect ? more?.backEnd : undefined);
  const userOf = async (app: App, connection: Connection, token: string): Promise<User> => {
    try {
      return await verify(app, token);
    } catch (error) {
      if (error instanceof IssuerUnavailable) throw new Disconnect("issuer_unavailable", error.message);
      const user = await more?.authenticate(connection, { token });
      if (user) return user;
      throw new Disconnect("token_invalid", `The token is refused${user === false ? "" : `: ${reasonOf(error)}`}.`);
    }
  };
  // Apart from the guard's own functions, which would have a scope made for its closures with each command of any kind.
  const signIn = (connection: Connection, command: SignIn): Promise<Command> | undefined => {
    const { app } = connection;
    const token = tokenOf(command.by, hasMore(app));
    if (token === undefined) return undefined;
    const backEnd = connection.awaitsAuthentication ? backEndOf(app) : undefined;
    const user = backEnd
      ? askBackEnd(verify, backEnd, connection, token, (claim) => claim && backEnd.connectByFrame(connection, claim))
      : verify(app, token);
    return user.then(
      (found): Command => (found ? { ...command, by: { type: "user", user: found } } : command),
      (error: unknown) => {
        if (backEnd) throw error;
        if (error instanceof IssuerUnavailable) throw new CommandError("issuer_unavailable", error.message);
        if (hasMore(app)) return command;
        throw new CommandError("unauthorized", `The token is refused: ${reasonOf(error)}.`);
      },
    );
  };
  return {
    connect(request, app, protocol, connection): Awaitable<User | undefined> {
      if (app.hooks) more?.backEnd?.prepare(request, connection);
      const token = protocol.acceptsTokens ? tokenIn(request, app) : undefined;
      const backEnd = backEndOf(app);
      if (backEnd) return askAtDoor(verify, backEnd, request, connection, token);
      return token === undefined ? undefined : userOf(app, connection, token);
    },

    command(connection: Connection, command: Command): Promise<Command> | undefined {
      return command.type === "signin" ? signIn(connection, command) : undefined;
    },
  };
}

function askAtDoor(
  verify: TokenVerifier,
  backEnd: BackEndAtDoor,
  request: Request,
  connection: Connection,
  token: string | undefined,
): Promise<User | undefined> {
  return askBackEnd(verify, backEnd, connection, token, (claim) => backEnd.connect(request, connection, claim));
}

/** The back end is told what the token says, unless it is one that spares it the question. Throws Disconnect. */
async function askBackEnd(
  verify: TokenVerifier,
  backEnd: BackEndAtDoor,
  connection: Connection,
  token: string | undefined,
  connect: (claim: TokenClaim | undefined) => Awaitable<User | undefined>,
): Promise<User | undefined> {
  if (token === undefined) return connect(undefined);
  let claim: TokenClaim;
  try {
    const known = await backEnd.readReconnectToken(connection, token);
    if (known) return known;
    claim = { text: token, user: await verify(connection.app, token), claims: textIn(token) };
  } catch (error) {
    if (error instanceof IssuerUnavailable) throw new Disconnect("issuer_unavailable", error.message);
    claim = { text: token, refused: reasonOf(error) };
  }
  return connect(claim);
}

/** Credentials that are more than a token are the authenticator's, where there is one. */
function tokenOf(by: Credentials, hasMore: boolean): string | undefined {
  if (by.type === "token") return by.token;
  if (by.type !== "credentials" || hasMore) return undefined;
  const { token } = by.credentials;
  return typeof token === "string" ? token : undefined;
}

function tokenIn(request: Request, app: App): string | undefined {
  const { url } = request;
  // Without a query, a handshake is spared a microsecond.
  const token = url.includes("?") ? new URL(url, "http://localhost").searchParams.get("token") : null;
  if (token === null) return bearerIn(request) ?? cookieIn(request, app);
  if (app.token?.inUrl !== false) return token;
  const message = "This app takes no token in an address (token.inUrl is off): send it in the header Authorization";
  throw new Disconnect("unauthorized", `${message}, in the first frame, or a ticket for it.`);
}

export function bearerIn({ headers }: Request): string | undefined {
  return /^Bearer (.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
}

/** Any page can have a browser send a cookie: it counts from the origins that the app lists, and from the server's own. */
function cookieIn({ headers }: Request, { token }: App): string | undefined {
  if (token?.cookie === undefined) return undefined;
  if (!headers.has("origin") && headers.get("sec-fetch-site") !== "same-origin") return undefined;
  return new Bun.CookieMap(headers.get("cookie") ?? "").get(token.cookie) ?? undefined;
}

async function keysOf(rules: TokenRules | undefined, appSecrets: readonly string[]): Promise<readonly VerifyingKey[]> {
  if (rules?.jwksUrl !== undefined) {
    return [{ key: await issuersKeys(new URL(rules.jwksUrl)) }];
  }
  if (rules?.publicKey !== undefined) {
    const pem = rules.publicKey;
    const { importSPKI } = await jose();
    return Promise.all(
      rules.algorithms.map(async (algorithm) => ({ key: await importSPKI(pem, algorithm), id: keyId(pem) })),
    );
  }
  const secrets = rules?.secret === undefined ? appSecrets : [rules.secret];
  return secrets.map((secret) => ({ key: new TextEncoder().encode(secret), id: keyId(secret) }));
}

/** The keys at the issuer's address. What the token is to blame for is told apart from what the issuer is. */
async function issuersKeys(url: URL): Promise<JWTVerifyGetKey> {
  const { createRemoteJWKSet, errors } = await jose();
  const options = { cooldownDuration: JWKS_COOLDOWN_MS, timeoutDuration: JWKS_TIMEOUT_MS };
  const keys = createRemoteJWKSet(url, options);
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      const isTokens = error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys;
      throw isTokens ? error : new IssuerUnavailable(error);
    }
  };
}

/** Tries each key; a token is as good as the best of them says. */
async function verified(
  rules: TokenRules,
  keys: readonly VerifyingKey[],
  token: string,
): Promise<{ readonly claims: JWTPayload; readonly keyId: string | undefined }> {
  const options = {
    algorithms: [...rules.algorithms],
    clockTolerance: rules.clockToleranceS,
    ...(rules.audience !== undefined && { audience: rules.audience }),
    ...(rules.issuer !== undefined && { issuer: rules.issuer }),
  };
  const { errors, jwtVerify } = await jose();
  let failure: unknown = new Error("the app has no key to verify it with");
  for (const { key, id } of keys) {
    try {
      const { payload } =
        typeof key === "function" ? await jwtVerify(token, key, options) : await jwtVerify(token, key, options);
      return { claims: payload, keyId: id };
    } catch (error) {
      failure = error;
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw failure;
}

/**
 * Claims: `sub` (or `user_id`, `id`) names the user, `info` is what others see, `channels` what it may join, `watch` what it may watch, `exp` when it ends, `iat` when
 * it was issued: so much earlier at most as the issuer's clock may be ahead.
 */
function userOf(claims: JWTPayload, text: string, { clockToleranceS }: TokenRules): User {
  const name = ["sub", "user_id", "id"].find((claim) => (claims[claim] ?? null) !== null) ?? "sub";
  const id: unknown = claims[name];
  if ((typeof id !== "string" && typeof id !== "number") || id === "") {
    throw new Error("it names no user: the claim sub is missing");
  }
  const { channels, watch, watchlist } = claims as { channels?: unknown; watch?: unknown; watchlist?: unknown };
  return {
    id: exactId(id, memberText(text, name)),
    ...parseUserInfo(memberText(text, "info")),
    issuedAtMs: typeof claims.iat === "number" ? (claims.iat - clockToleranceS) * 1000 : 0,
    ...(typeof claims.exp === "number" && { expiresAtMs: claims.exp * 1000 }),
    ...(isTexts(channels) && { channels }),
    ...(isTexts(watch) && { watch }),
    ...(isTexts(watchlist) && { watchlist }),
  };
}

/** The claims as their issuer wrote them. */
function textIn(token: string): string {
  return Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8");
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** Ends the sentence "the token is refused: …". The library's errors are known by their codes, so it is not loaded for this. */
export function reasonOf(error: unknown): string {
  if (error instanceof CommandError) return `its user is not valid (${error.message.replace(/\.$/, "")})`;
  if (!(error instanceof Error)) return "it cannot be verified";
  const { code = "", claim } = error as { readonly code?: string; readonly claim?: string };
  if (code === "ERR_JWT_CLAIM_VALIDATION_FAILED") {
    return claim === "nbf" ? "it is not valid yet" : `its claim ${claim} is not what this app expects`;
  }
  return REASONS[code] ?? (/^ERR_(?:JO|JW)/.test(code) ? "it is not a JSON Web Token that can be read" : error.message);
}

const REASONS: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: "it has expired",
  ERR_JOSE_ALG_NOT_ALLOWED: "its algorithm is not one this app accepts",
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: "its signature is not one of this app's keys",
  ERR_JWKS_NO_MATCHING_KEY: "the issuer has no key of that id",
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: "the issuer has several keys and it does not say which",
};

/** Loaded by the first token. */
function jose(): Promise<typeof import("jose")> {
  return import("jose");
}
