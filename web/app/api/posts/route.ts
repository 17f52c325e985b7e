import type { NextRequest } from "next/server";
import { answerWrite } from "@/app/api/posts/write-answer";
import { newPostBody } from "@/lib/feed/new-post";
import { pendingWrites } from "@/lib/feed/pending-writes";
import { readUserRequest } from "@/lib/platform/user-request";
import { storePost } from "@/lib/repositories/writing.repository";

export const dynamic = "force-dynamic";

const RULES = { schema: newPostBody, invalidCode: "invalid_post", maxLength: 16 * 1024 };

/**
 * `POST /api/posts`: stores a post, a reply, a quote or a repost of the session's user. The body is
 * `{user, id, text, reply_to | quote_of | repost_of, request_id}`. 202 after the commit; after 503 the same body can be
 * sent again, and is stored once.
 */
export async function POST(request: NextRequest): Promise<Response> {
  const read = await readUserRequest(request, RULES);
  if (read instanceof Response) return read;
  return answerWrite("stored", pendingWrites.add(read.userId, storePost(read.userId, read.body)));
}
