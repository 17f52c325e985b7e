import { FeedServiceError } from "@feed/client";
import type { NextRequest } from "next/server";
import { feedbackBody, isFinalRejection, sendFeedback } from "@/lib/feed/feedback";
import { pendingWrites } from "@/lib/feed/pending-writes";
import { logger } from "@/lib/logger";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { metrics } from "@/lib/platform/metrics";
import { problem } from "@/lib/platform/problem";
import { readUserRequest } from "@/lib/platform/user-request";
import { registerVisitor } from "@/lib/repositories/user.repository";
import { MLServiceClient } from "@/lib/services/ml-service";

export const dynamic = "force-dynamic";

const RULES = { schema: feedbackBody, invalidCode: "invalid_feedback", maxLength: 4096 };

/**
 * `POST /api/feedback`: sets a control of the session's user, such as a hidden post, or takes it back. The body is
 * `{user, action, post_id | author_id | tag, event_id, undo}`. After 503 the same body can be sent again.
 */
export async function POST(request: NextRequest): Promise<Response> {
  const read = await readUserRequest(request, RULES);
  if (read instanceof Response) return read;
  const { userId } = read;
  const { user: _user, ...feedback } = read.body;
  const count = (result: string) => metrics.feedback.inc({ action: feedback.action, result });

  try {
    const controls = { user_id: userId, ...feedback };
    const storing = sendFeedback(MLServiceClient.withTraceOf(request), controls, () => registerVisitor(userId));
    await pendingWrites.add(userId, storing);
    count(feedback.undo ? "undone" : "recorded");
    return Response.json({ status: "recorded" }, { status: 202 });
  } catch (error) {
    if (!(error instanceof FeedServiceError || error instanceof DatabaseUnavailable)) throw error;
    if (error instanceof FeedServiceError && isFinalRejection(error)) {
      count("refused");
      logger.warn("feedback.rejected", { action: feedback.action, error });
      return problem(error.status ?? 409, error.code ?? "rejected", error.message);
    }
    count("failed");
    logger.warn("feedback.failed", { action: feedback.action, error });
    const retryAfterSeconds = error instanceof FeedServiceError ? (error.retryAfterSeconds ?? 1) : 1;
    return problem(503, "feedback_unavailable", "the feedback cannot be stored; try again later", {
      "Retry-After": String(retryAfterSeconds),
    });
  }
}
