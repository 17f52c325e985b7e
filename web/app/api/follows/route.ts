import { FeedServiceError } from "@feed/client";
import type { NextRequest } from "next/server";
import { followBody, sendFollow } from "@/lib/feed/follows";
import { pendingWrites } from "@/lib/feed/pending-writes";
import { logger } from "@/lib/logger";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { metrics } from "@/lib/platform/metrics";
import { problem } from "@/lib/platform/problem";
import { readUserRequest } from "@/lib/platform/user-request";
import { registerVisitor } from "@/lib/repositories/user.repository";
import { MLServiceClient } from "@/lib/services/ml-service";

export const dynamic = "force-dynamic";

const RULES = { schema: followBody, invalidCode: "invalid_follow", maxLength: 4096 };

/**
 * `POST /api/follows`: makes the session's user follow an author, or ends it. The body is `{user, author_id, follows}`.
 * After 503 the same body can be sent again.
 */
export async function POST(request: NextRequest): Promise<Response> {
  const read = await readUserRequest(request, RULES);
  if (read instanceof Response) return read;
  const { userId, body } = read;
  const count = (result: string) => metrics.follows.inc({ result });

  try {
    const follow = sendFollow(MLServiceClient.withTraceOf(request), userId, body, () => registerVisitor(userId));
    await pendingWrites.add(userId, follow);
    count(body.follows ? "followed" : "unfollowed");
    return Response.json({ status: body.follows ? "followed" : "unfollowed" }, { status: 202 });
  } catch (error) {
    if (!(error instanceof FeedServiceError || error instanceof DatabaseUnavailable)) throw error;
    if (error instanceof FeedServiceError && [404, 409, 422].includes(error.status ?? 0)) {
      count("refused");
      logger.warn("follow.rejected", { error });
      return problem(error.status ?? 409, error.code ?? "rejected", error.message);
    }
    count("failed");
    logger.warn("follow.failed", { error });
    const retryAfterSeconds = error instanceof FeedServiceError ? (error.retryAfterSeconds ?? 1) : 1;
    return problem(503, "follow_unavailable", "the follow cannot be stored; try again later", {
      "Retry-After": String(retryAfterSeconds),
    });
  }
}
