import { DatabaseUnavailable } from "@/lib/platform/database";
import { isUuid } from "@/lib/platform/ids";
import { problem } from "@/lib/platform/problem";
import { findComments } from "@/lib/repositories/comment.repository";

export const dynamic = "force-dynamic";

/** `GET /api/posts/ID/comments`: the newest 50, in order. */
export async function GET(_request: Request, context: { params: Promise<{ id: string }> }): Promise<Response> {
  const { id } = await context.params;
  if (!isUuid(id)) return problem(404, "unknown_post", "no such post");
  try {
    return Response.json({ comments: await findComments(id, 50) });
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
    return problem(503, "storage_unavailable", "comments cannot be read just now", { "Retry-After": "1" });
  }
}
