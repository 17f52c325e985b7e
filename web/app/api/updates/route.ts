import { FeedServiceError } from "@feed/client";
import type { NextRequest } from "next/server";
import { decodeFeedCursor, InvalidFeedCursor } from "@/lib/feed/cursor";
import { logger } from "@/lib/logger";
import { noSession, problem } from "@/lib/platform/problem";
import { currentUser } from "@/lib/platform/session";
import { MLServiceClient } from "@/lib/services/ml-service";

export const dynamic = "force-dynamic";

const NONE = { new: 0, capped: false };
const HEADERS = { "Cache-Control": "no-store" };

/**
 * `GET /api/updates?cursor`: how many posts are new since the list of a cursor of `/api/feeds` began. Zero for a list
 * that the service did not make. 503 while the service is unavailable.
 */
export async function GET(request: NextRequest): Promise<Response> {
  const user = await currentUser(request);
  if (user === null) return noSession();
  try {
    const { serviceCursor } = decodeFeedCursor(user.id, null, request.nextUrl.searchParams.get("cursor") ?? "");
    const client = MLServiceClient.withTraceOf(request);
    const updates = serviceCursor === null ? NONE : await client.countUpdates(user.id, serviceCursor);
    return Response.json(updates, { headers: HEADERS });
  } catch (error) {
    if (error instanceof InvalidFeedCursor) return problem(400, "invalid_cursor", error.message);
    if (!(error instanceof FeedServiceError)) throw error;
    // The service's cursor is too old or of another version. The next page starts a new list.
    if (error.code === "invalid_cursor" || error.code === "expired_cursor") {
      return Response.json(NONE, { headers: HEADERS });
    }
    logger.info("updates.unavailable", { error });
    return problem(503, "updates_unavailable", "new posts cannot be counted; try again later", { "Retry-After": "30" });
  }
}
