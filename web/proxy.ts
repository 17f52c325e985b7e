import { type NextRequest, NextResponse } from "next/server";
import { isId } from "@/lib/platform/ids";
import { USER_COOKIE } from "@/lib/platform/session";

const YEAR_SECONDS = 365 * 24 * 3600;

/** Gives a first-time visitor an id of his own, already in the request that brings him. */
export function proxy(request: NextRequest): NextResponse {
  const known = request.cookies.get(USER_COOKIE)?.value;
  if (known && isId(known)) return NextResponse.next();

  const visitor = crypto.randomUUID();
  request.cookies.set(USER_COOKIE, visitor);
  const response = NextResponse.next({ request: { headers: request.headers } });
  response.cookies.set(USER_COOKIE, visitor, { httpOnly: true, sameSite: "lax", path: "/", maxAge: YEAR_SECONDS });
  return response;
}

export const config = { matcher: ["/", "/post/:path*", "/operator", "/api/((?!metrics|health).*)"] };
