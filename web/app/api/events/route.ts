import { FeedServiceError } from "@feed/client";
import type { NextRequest } from "next/server";
import { deliver, parseEvents, toInteractions } from "@/lib/feed/events";
import { logger } from "@/lib/logger";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { metrics } from "@/lib/platform/metrics";
import { problem } from "@/lib/platform/problem";
import { isSameOrigin, sessionUserId } from "@/lib/platform/session";
import { registerVisitor } from "@/lib/repositories/user.repository";
import { MLServiceClient } from "@/lib/services/ml-service";

export const dynamic = "force-dynamic";

const MAX_BODY_BYTES = 512 * 1024;

/**
 * `POST /api/events`: sends the events of the session's user to the service. The body is `{user, events, sent_at}`.
 * 202 returns the ids of the settled events, which the browser removes; after 503 the browser keeps all of them.
 */
export async function POST(request: NextRequest): Promise<Response> {
  const user = sessionUserId(request);
  if (user === null) return problem(400, "no_user", "the session has no user; load the feed page first");
  if (!isSameOrigin(request)) {
    return problem(403, "foreign_origin", "Origin: not this site; send events from its own pages");
  }

  let interactions;
  try {
    const text = await request.text();
    if (text.length > MAX_BODY_BYTES) {
      return problem(413, "too_large", `body: more than ${MAX_BODY_BYTES} bytes; send fewer events`);
    }
    const { user: eventUser, events, sentAtMs } = parseEvents(JSON.parse(text));
    // Another tab has switched users. The browser keeps these events until their user returns.
    if (eventUser !== undefined && eventUser !== user) {
      return problem(409, "other_user", "user: not the user of the session; keep the events");
    }
    interactions = toInteractions(user, events, sentAtMs, Date.now());
  } catch (error) {
    if (error instanceof SyntaxError) return problem(400, "invalid_events", error.message);
    throw error;
  }

  try {
    const { settled, rejected } = await deliver(MLServiceClient.withTraceOf(request), interactions, () =>
      registerVisitor(user),
    );
    metrics.count("web_events_total", { result: "tracked" }, settled.length - rejected.length);
    metrics.count("web_events_total", { result: "refused" }, rejected.length);
    if (rejected.length > 0) logger.warn("events.rejected", { events: rejected });
    return Response.json({ settled }, { status: 202 });
  } catch (error) {
    if (!(error instanceof FeedServiceError || error instanceof DatabaseUnavailable)) throw error;
    metrics.count("web_events_total", { result: "delayed" }, interactions.length);
    logger.warn("events.delayed", { events: interactions.length, error });
    const retryAfterSeconds = error instanceof FeedServiceError ? (error.retryAfterSeconds ?? 1) : 1;
    return problem(503, "tracking_unavailable", "the events cannot be stored; keep them and try again", {
      "Retry-After": String(retryAfterSeconds),
    });
  }
}
