import { FeedServiceError } from "@feed/client";
import type { NextRequest } from "next/server";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { deliver, interactionsOf, parseEvents } from "@/lib/feed/events";
import { logger } from "@/lib/logger";
import { metrics } from "@/lib/platform/metrics";
import { problem } from "@/lib/platform/problem";
import { registerVisitor } from "@/lib/repositories/user.repository";
import { MLServiceClient } from "@/lib/services/ml-service";
import { isSameOrigin, userOf } from "@/lib/platform/session";

export const dynamic = "force-dynamic";

const MAX_BODY_BYTES = 512 * 1024;

/**
 * `POST /api/events`: `{user, events, sent_at}` of the session's user, on to the service. 202 names the events that need not
 * be sent again; 503 settles nothing, and the browser keeps them.
 */
export async function POST(request: NextRequest): Promise<Response> {
  const user = userOf(request);
  if (user === null) return problem(400, "no_user", "this session has no user yet: load the page first");
  if (!isSameOrigin(request)) return problem(403, "foreign_origin", "events are taken from this site's pages only");

  let interactions;
  try {
    const text = await request.text();
    if (text.length > MAX_BODY_BYTES) return problem(413, "too_large", `at most ${MAX_BODY_BYTES} bytes of events`);
    const { user: actor, events, sentAt } = parseEvents(JSON.parse(text));
    // another tab has switched users: the events wait for their own user's return
    if (actor !== undefined && actor !== user) return problem(409, "other_user", "the session has another user by now");
    interactions = interactionsOf(user, events, sentAt, Date.now());
  } catch (error) {
    if (error instanceof SyntaxError) return problem(400, "invalid_events", error.message);
    throw error;
  }

  try {
    const { settled, refused } = await deliver(MLServiceClient.during(request), interactions, () =>
      registerVisitor(user),
    );
    metrics.count("web_events_total", { result: "tracked" }, settled.length - refused.length);
    metrics.count("web_events_total", { result: "refused" }, refused.length);
    if (refused.length > 0) logger.warn("events.refused", { events: refused });
    return Response.json({ settled }, { status: 202 });
  } catch (error) {
    if (!(error instanceof FeedServiceError || error instanceof DatabaseUnavailable)) throw error;
    metrics.count("web_events_total", { result: "delayed" }, interactions.length);
    logger.warn("events.delayed", { events: interactions.length, error });
    const seconds = error instanceof FeedServiceError ? (error.retryAfterSeconds ?? 1) : 1;
    return problem(503, "tracking_unavailable", "events cannot be stored just now; keep them", {
      "Retry-After": String(seconds),
    });
  }
}
