import { type NextRequest, NextResponse } from "next/server";
import { hasKey } from "@/lib/platform/access-key";
import { config as settings } from "@/lib/platform/config";
import { contentSecurityPolicy } from "@/lib/platform/content-security-policy";
import { currentUser, startSession } from "@/lib/platform/session";

/**
 * Runs before each page: gives a visitor without a session a new one, sets the Content Security Policy with a nonce for
 * this response, and protects the operator page with its key. Also before routes with an escape sequence in their path:
 * Next.js would answer an invalid one with 500.
 */
export async function proxy(request: NextRequest): Promise<NextResponse> {
  const { pathname } = request.nextUrl;
  if (!isDecodable(pathname)) {
    return new NextResponse("path: has an escape sequence that is not UTF-8; check the address\n", { status: 400 });
  }
  if (pathname.startsWith("/api/")) return NextResponse.next();
  const isOperatorPage = settings.operatorPage && pathname.split("/")[1] === "operator";
  const { operatorKey } = settings;
  if (isOperatorPage && operatorKey && !hasKey(request.headers, operatorKey)) {
    return new NextResponse("Sign in with the operator key as the password.\n", {
      status: 401,
      headers: { "WWW-Authenticate": 'Basic realm="operator", charset="UTF-8"' },
    });
  }
  const policy = contentSecurityPolicy(Buffer.from(crypto.randomUUID()).toString("base64"));
  const headers = new Headers(request.headers);
  headers.set("Content-Security-Policy", policy); // Next.js adds the nonce of this header to its scripts
  const user = await currentUser(request);
  const response = user ? NextResponse.next({ request: { headers } }) : await startSession(request, headers);
  response.headers.set("Content-Security-Policy", policy);
  return response;
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

export const config = {
  matcher: ["/((?!api/|_next/static/|pictures/|(?:icon\\.svg|offline\\.html|service-worker\\.js)$).*)", "/api/(.*%.*)"],
};
