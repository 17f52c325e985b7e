import type { NextRequest } from "next/server";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isUuid } from "@/lib/platform/ids";
import { noSession, problem } from "@/lib/platform/problem";
import { currentUser } from "@/lib/platform/session";
import { findComments } from "@/lib/repositories/comment.repository";

export const dynamic = "force-dynamic";

/** `GET /api/posts/ID/comments`: the newest 50 comments that the session's user may see, in order of time. */
export async function GET(request: NextRequest, context: { params: Promise<{ id: string }> }): Promise<Response> {
  const { id } = await context.params;
  if (!isUuid(id)) return problem(404, "unknown_post", "id: not the UUID of a post");
  const user = await currentUser(request);
  if (user === null) return noSession();
  try {
    const comments = await findComments(user.id, id, 50);
    if (comments === null)
      return problem(404, "unknown_post", "id: no such post, or not visible to the session's user");
    return Response.json({ comments }, { headers: { "Cache-Control": "no-store" } });
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
    return problem(503, "storage_unavailable", "the comments cannot be read; try again later", { "Retry-After": "1" });
  }
}
