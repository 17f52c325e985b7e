import { type NextRequest, NextResponse } from "next/server";
import { config } from "@/lib/platform/config";
import { isId } from "@/lib/platform/ids";
import { problem } from "@/lib/platform/problem";
import { isSameOrigin, USER_COOKIE } from "@/lib/platform/session";

/** `POST /api/session {"user": id | null}`: act as that user of the demo, or as a new visitor. */
export async function POST(request: NextRequest): Promise<Response> {
  if (!config.demoUsers) return problem(404, "not_found", "there is no user switcher here");
  if (!isSameOrigin(request)) return problem(403, "foreign_origin", "only this site's pages switch users");
  const body: unknown = await request.json().catch(() => undefined);
  const given = (body as { user?: unknown } | undefined)?.user;
  if (given !== null && !(typeof given === "string" && isId(given))) {
    return problem(400, "invalid_user", "user must be 1..128 printable characters, or null for a new visitor");
  }
  const user = given ?? crypto.randomUUID();
  const response = NextResponse.json({ user });
  response.cookies.set(USER_COOKIE, user, { httpOnly: true, sameSite: "lax", path: "/", maxAge: 31_536_000 });
  return response;
}
