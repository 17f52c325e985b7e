import { cookies } from "next/headers";
import { type NextRequest, NextResponse } from "next/server";
import { logger } from "@/lib/logger";
import { endAllSessions, hasEnded } from "./ended-sessions";
import { SESSION_COOKIE, signSession, verifySession } from "./session-cookie";

/** The user who sends a request. */
export interface CurrentUser {
  id: string;
}

/**
 * The user of the session; null if there is none, its cookie is forged, or it has ended. Pages call it without the request, routes and
 * the proxy with it. A product with its own sign-in replaces this module (docs/adopting.md).
 */
export async function currentUser(request?: NextRequest): Promise<CurrentUser | null> {
  const store = request?.cookies ?? (await cookies());
  const session = await verifySession(store.get(SESSION_COOKIE)?.value);
  if (session === null || (await hasEnded(session.userId, session.signedAtMs))) return null;
  return { id: session.userId };
}

/**
 * Answers the request for a page without a user: it starts the session of a new visitor, which the page can read. The
 * page gets the request with `headers`.
 */
export async function startSession(request: NextRequest, headers: Headers): Promise<NextResponse> {
  const cookie = await signSession(crypto.randomUUID());
  request.cookies.set(cookie.name, cookie.value);
  headers.set("cookie", request.headers.get("cookie") ?? "");
  const response = NextResponse.next({ request: { headers } });
  response.cookies.set(cookie);
  return response;
}

/**
 * Ends the sessions of a user who has deleted their data: that of the browser to which the response goes, and its copies
 * in others. The next page of each starts a new one.
 */
export async function endSession(response: NextResponse, userId: string): Promise<void> {
  response.cookies.delete(SESSION_COOKIE);
  try {
    await endAllSessions(userId);
  } catch (error) {
    logger.error("sessions.end_unstored", { error }); // their data is deleted already
  }
}
