import type { NextRequest } from "next/server";
import { config } from "@/lib/platform/config";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { problem } from "@/lib/platform/problem";
import { sessionUserId } from "@/lib/platform/session";
import { findUsers } from "@/lib/repositories/user.repository";

export const dynamic = "force-dynamic";

/** `GET /api/users?search`: the users that a visitor of the demo can act as. */
export async function GET(request: NextRequest): Promise<Response> {
  if (!config.demoUsers) {
    return problem(404, "not_found", "the user switcher is off; remove DEMO_USERS=off to enable it");
  }
  try {
    const search = (request.nextUrl.searchParams.get("search") ?? "").slice(0, 80);
    const users = await findUsers(sessionUserId(request) ?? "visitor", search, 40);
    return Response.json({ users }, { headers: { "Cache-Control": "no-store" } });
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
    return problem(503, "storage_unavailable", "the users cannot be read; try again later", { "Retry-After": "1" });
  }
}
