import { jwtVerify, SignJWT } from "jose";
import { config } from "./config";
import { ownCookie, YEAR_SECONDS } from "./cookie";
import { isId } from "./ids";

const ALGORITHM = "HS256";

/** The signed cookie of a session. It names its user, and expires after a year. */
export const SESSION_COOKIE = "feed_session";

/** Returns the cookie of a new session of a user. */
export async function signSession(userId: string) {
  const [secret] = secrets();
  const value = await new SignJWT()
    .setProtectedHeader({ alg: ALGORITHM })
    .setSubject(userId)
    .setIssuedAt()
    .setExpirationTime(`${YEAR_SECONDS}s`)
    .sign(secret);
  return ownCookie(SESSION_COOKIE, value);
}

export interface SignedSession {
  userId: string;
  /** In milliseconds since 1970, in whole seconds. */
  signedAtMs: number;
}

/** The session of a cookie; null if the cookie is missing, expired, or not signed with one of our secrets. */
export async function verifySession(cookie: string | undefined): Promise<SignedSession | null> {
  if (!cookie) return null;
  for (const secret of secrets()) {
    const verified = await jwtVerify(cookie, secret, { algorithms: [ALGORITHM] }).catch(() => null);
    const { sub: userId, iat } = verified?.payload ?? {};
    if (userId !== undefined && isId(userId)) return { userId, signedAtMs: (iat ?? 0) * 1000 };
  }
  return null;
}

/** The secrets as bytes. The first one signs. */
function secrets(): [Uint8Array, ...Uint8Array[]] {
  const [first, ...others] = config.sessionSecrets;
  const bytes = (secret: string) => new TextEncoder().encode(secret);
  return [bytes(first), ...others.map(bytes)];
}
