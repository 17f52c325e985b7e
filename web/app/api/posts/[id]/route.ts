import type { NextRequest } from "next/server";
import { answerWrite } from "@/app/api/posts/write-answer";
import { deletePostBody } from "@/lib/feed/new-post";
import { pendingWrites } from "@/lib/feed/pending-writes";
import { isUuid } from "@/lib/platform/ids";
import { problem } from "@/lib/platform/problem";
import { readUserRequest } from "@/lib/platform/user-request";
import { deletePost } from "@/lib/repositories/writing.repository";

export const dynamic = "force-dynamic";

const RULES = { schema: deletePostBody, invalidCode: "invalid_deletion", maxLength: 4096 };

/**
 * `DELETE /api/posts/ID`: deletes a post of the session's user with its events, and its event on the other post. The
 * body is `{user}`. 202 after the commit, also if there is no such post; after 503 the call can be repeated.
 */
export async function DELETE(request: NextRequest, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  const { id } = await params;
  if (!isUuid(id)) return problem(404, "unknown_post", "id: must be a UUID");
  const read = await readUserRequest(request, RULES);
  if (read instanceof Response) return read;
  return answerWrite("deleted", pendingWrites.add(read.userId, deletePost(read.userId, id.toLowerCase())));
}
