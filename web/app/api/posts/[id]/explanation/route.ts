import { FeedServiceError } from "@feed/client";
import type { NextRequest } from "next/server";
import { logger } from "@/lib/logger";
import { isUuid } from "@/lib/platform/ids";
import { noSession, problem } from "@/lib/platform/problem";
import { currentUser } from "@/lib/platform/session";
import { MLServiceClient } from "@/lib/services/ml-service";

export const dynamic = "force-dynamic";

/** `GET /api/posts/ID/explanation`: what the score of a post is made of, in the feed of the session's user. */
export async function GET(request: NextRequest, context: { params: Promise<{ id: string }> }): Promise<Response> {
  const user = await currentUser(request);
  if (user === null) return noSession();
  const { id } = await context.params;
  if (!isUuid(id)) return problem(404, "unknown_post", "id: not the UUID of a post");
  try {
    const explanation = await MLServiceClient.withTraceOf(request).explainPost(user.id, id);
    if (explanation === null) return problem(404, "unknown_post", "id: no such post in the feed of the session's user");
    return Response.json(explanation, { headers: { "Cache-Control": "no-store" } });
  } catch (error) {
    if (!(error instanceof FeedServiceError)) throw error;
    logger.info("explanation.unavailable", { error });
    return problem(503, "explanation_unavailable", "the post cannot be explained; try again later", {
      "Retry-After": "5",
    });
  }
}
