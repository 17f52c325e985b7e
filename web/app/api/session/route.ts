import { type NextRequest, NextResponse } from "next/server";
import { config } from "@/lib/platform/config";
import { isId } from "@/lib/platform/ids";
import { problem } from "@/lib/platform/problem";
import { isSameOrigin } from "@/lib/platform/same-origin";
import { signSession } from "@/lib/platform/session-cookie";

/** `POST /api/session {"user": id | null}`: switches the session to this user of the demo, or to a new visitor. */
export async function POST(request: NextRequest): Promise<Response> {
  if (!config.demoUsers) {
    return problem(404, "not_found", "the user switcher is off; set DEMO_USERS=on to enable it");
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
  response.cookies.set(await signSession(user));
  return response;
}
