import { type NextRequest, NextResponse } from "next/server";
import { config } from "@/lib/platform/config";
import { isId } from "@/lib/platform/ids";
import { problem } from "@/lib/platform/problem";
import { isSameOrigin, USER_COOKIE } from "@/lib/platform/session";

/** `POST /api/session {"user": id | null}`: switches the session to this user of the demo, or to a new visitor. */
export async function POST(request: NextRequest): Promise<Response> {
  if (!config.demoUsers) {
    return problem(404, "not_found", "the user switcher is off; remove DEMO_USERS=off to enable it");
  }
  if (!isSameOrigin(request)) {
    return problem(403, "foreign_origin", "Origin: not this site; switch users on its own pages");
  }
  const body: unknown = await request.json().catch(() => undefined);
  const requested = (body as { user?: unknown } | undefined)?.user;
  if (requested !== null && !(typeof requested === "string" && isId(requested))) {
    return problem(400, "invalid_user", "user: must be 1..128 printable characters, or null for a new visitor");
  }
  const user = requested ?? crypto.randomUUID();
  const response = NextResponse.json({ user });
  response.cookies.set(USER_COOKIE, user, { httpOnly: true, sameSite: "lax", path: "/", maxAge: 31_536_000 });
  return response;
}
