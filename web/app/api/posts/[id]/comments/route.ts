import { DatabaseUnavailable } from "@/lib/platform/database";
import { isUuid } from "@/lib/platform/ids";
import { problem } from "@/lib/platform/problem";
import { findComments } from "@/lib/repositories/comment.repository";

export const dynamic = "force-dynamic";

/** `GET /api/posts/ID/comments`: the newest 50 comments, in order of time. */
export async function GET(_request: Request, context: { params: Promise<{ id: string }> }): Promise<Response> {
  const { id } = await context.params;
  if (!isUuid(id)) return problem(404, "unknown_post", "id: not the UUID of a post");
  try {
    return Response.json({ comments: await findComments(id, 50) });
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
    return problem(503, "storage_unavailable", "the comments cannot be read; try again later", { "Retry-After": "1" });
  }
}
