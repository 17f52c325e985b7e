import { type NextRequest, NextResponse } from "next/server";
import { isId } from "@/lib/platform/ids";
import { USER_COOKIE } from "@/lib/platform/session";

const YEAR_SECONDS = 365 * 24 * 3600;

/** Gives a new visitor an id. Their first request already has the cookie when the page reads it. */
export function proxy(request: NextRequest): NextResponse {
  const userId = request.cookies.get(USER_COOKIE)?.value;
  if (userId && isId(userId)) return NextResponse.next();

  const visitorId = crypto.randomUUID();
  request.cookies.set(USER_COOKIE, visitorId);
  const response = NextResponse.next({ request: { headers: request.headers } });
  response.cookies.set(USER_COOKIE, visitorId, { httpOnly: true, sameSite: "lax", path: "/", maxAge: YEAR_SECONDS });
  return response;
}

export const config = { matcher: ["/", "/post/:path*", "/operator", "/api/((?!metrics|health).*)"] };
