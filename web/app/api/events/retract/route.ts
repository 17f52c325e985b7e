import { FeedServiceError } from "@feed/client";
import type { NextRequest } from "next/server";
import { retract, retractionBody } from "@/lib/feed/feedback";
import { logger } from "@/lib/logger";
import { problem } from "@/lib/platform/problem";
import { readUserRequest } from "@/lib/platform/user-request";
import { MLServiceClient } from "@/lib/services/ml-service";

export const dynamic = "force-dynamic";

const RULES = { schema: retractionBody, invalidCode: "invalid_retraction", maxLength: 4096 };

/**
 * `POST /api/events/retract`: takes back all events of a type that the session's user has with a post, such as a like.
 * The body is `{user, post_id, interaction_type}`. 202 returns the number of removed events; after 503 none is removed.
 */
export async function POST(request: NextRequest): Promise<Response> {
  const read = await readUserRequest(request, RULES);
  if (read instanceof Response) return read;
  const { post_id, interaction_type } = read.body;

  try {
    const retraction = { user_id: read.userId, post_id, interaction_type };
    const removed = await retract(MLServiceClient.withTraceOf(request), retraction);
    return Response.json({ status: "retracted", removed }, { status: 202 });
  } catch (error) {
    if (!(error instanceof FeedServiceError)) throw error;
    logger.warn("events.not_retracted", { interaction_type, error });
    return problem(503, "tracking_unavailable", "the events cannot be removed; try again later", {
      "Retry-After": String(error.retryAfterSeconds ?? 1),
    });
  }
}
