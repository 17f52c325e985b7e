import type { NextRequest } from "next/server";
import { config } from "@/lib/platform/config";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { noSession, problem } from "@/lib/platform/problem";
import { currentUser } from "@/lib/platform/session";
import { findUsers } from "@/lib/repositories/user.repository";

export const dynamic = "force-dynamic";

/** `GET /api/users?search`: the users that a visitor of the demo can act as. */
export async function GET(request: NextRequest): Promise<Response> {
  if (!config.demoUsers) {
    return problem(404, "not_found", "the user switcher is off; set DEMO_USERS=on to enable it");
  }
  const user = await currentUser(request);
  if (user === null) return noSession();
  try {
    const search = (request.nextUrl.searchParams.get("search") ?? "").slice(0, 80);
    const users = await findUsers(user.id, search, 40);
    return Response.json({ users }, { headers: { "Cache-Control": "no-store" } });
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
    return problem(503, "storage_unavailable", "the users cannot be read; try again later", { "Retry-After": "1" });
  }
}
