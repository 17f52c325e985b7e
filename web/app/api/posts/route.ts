import type { NextRequest } from "next/server";
import { z } from "zod";
import { answerWrite } from "@/app/api/posts/write-answer";
import { InvalidFeedCursor } from "@/lib/feed/cursor";
import { newPostBody } from "@/lib/feed/new-post";
import { pendingWrites } from "@/lib/feed/pending-writes";
import { postListName } from "@/lib/feed/post-list";
import { parseBody } from "@/lib/platform/body";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { noSession, problem } from "@/lib/platform/problem";
import { currentUser } from "@/lib/platform/session";
import { readUserRequest } from "@/lib/platform/user-request";
import { findPostList } from "@/lib/repositories/post-list.repository";
import { storePost } from "@/lib/repositories/writing.repository";

export const dynamic = "force-dynamic";

const RULES = { schema: newPostBody, invalidCode: "invalid_post", maxLength: 16 * 1024 };
const MAX_LIMIT = 50;
const limitRule = `must be an integer from 1 to ${MAX_LIMIT}`;
const LIST_QUERY = postListName.extend({
  cursor: z.string().optional(),
  limit: z.coerce.number(limitRule).int(limitRule).min(1, limitRule).max(MAX_LIMIT, limitRule).default(20),
});

/** `GET /api/posts?list&of&cursor&limit`: a page of a list of posts that the session's user may see, newest first. */
export async function GET(request: NextRequest): Promise<Response> {
  const user = await currentUser(request);
  if (user === null) return noSession();
  try {
    const { cursor, limit, ...name } = parseBody(LIST_QUERY, Object.fromEntries(request.nextUrl.searchParams));
    const page = await findPostList(user.id, name, cursor || null, limit);
    return Response.json(page, { headers: { "Cache-Control": "no-store" } });
  } catch (error) {
    if (error instanceof SyntaxError) return problem(400, "invalid_list", error.message);
    if (error instanceof InvalidFeedCursor) return problem(400, "invalid_cursor", error.message);
    if (!(error instanceof DatabaseUnavailable)) throw error;
    return problem(503, "storage_unavailable", "the posts cannot be read; try again later", { "Retry-After": "1" });
  }
}

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
