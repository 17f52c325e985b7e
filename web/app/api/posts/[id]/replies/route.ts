import type { NextRequest } from "next/server";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isUuid } from "@/lib/platform/ids";
import { noSession, problem } from "@/lib/platform/problem";
import { currentUser } from "@/lib/platform/session";
import { findReplies } from "@/lib/repositories/reply.repository";

export const dynamic = "force-dynamic";

/** `GET /api/posts/ID/replies`: the newest 50 replies to a post that the session's user may see, in order of time. */
export async function GET(request: NextRequest, context: { params: Promise<{ id: string }> }): Promise<Response> {
  const { id } = await context.params;
  if (!isUuid(id)) return problem(404, "unknown_post", "id: not the UUID of a post");
  const user = await currentUser(request);
  if (user === null) return noSession();
  try {
    const replies = await findReplies(user.id, id, 50);
    if (replies === null) return problem(404, "unknown_post", "id: no such post, or not visible to the session's user");
    return Response.json({ replies }, { headers: { "Cache-Control": "no-store" } });
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
    return problem(503, "storage_unavailable", "the replies cannot be read; try again later", { "Retry-After": "1" });
  }
}
