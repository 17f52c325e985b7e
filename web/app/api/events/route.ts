import { FeedServiceError } from "@feed/client";
import type { NextRequest } from "next/server";
import type { z } from "zod";
import { deliver, eventsBody, toInteractions } from "@/lib/feed/events";
import { pendingWrites } from "@/lib/feed/pending-writes";
import { logger } from "@/lib/logger";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { metrics } from "@/lib/platform/metrics";
import { problem } from "@/lib/platform/problem";
import { readUserRequest } from "@/lib/platform/user-request";
import { registerVisitor } from "@/lib/repositories/user.repository";
import { MLServiceClient } from "@/lib/services/ml-service";

export const dynamic = "force-dynamic";

const RULES = {
  schema: eventsBody,
  invalidCode: "invalid_events",
  maxLength: 512 * 1024,
  writes: (body: z.output<typeof eventsBody>) => body.events.length,
};

/**
 * `POST /api/events`: sends the events of the session's user to the service. The body is `{user, events, sent_at}`.
 * 202 returns the ids of the settled events, which the browser removes; after 503 the browser keeps all of them.
 */
export async function POST(request: NextRequest): Promise<Response> {
  const read = await readUserRequest(request, RULES);
  if (read instanceof Response) return read;
  const { userId, body } = read;
  const interactions = toInteractions(userId, body.events, body.sent_at, Date.now());

  try {
    const delivery = deliver(MLServiceClient.withTraceOf(request), interactions, () => registerVisitor(userId));
    const { settled, rejected } = await pendingWrites.add(userId, delivery);
    metrics.events.inc({ result: "tracked" }, settled.length - rejected.length);
    metrics.events.inc({ result: "refused" }, rejected.length);
    if (rejected.length > 0) logger.warn("events.rejected", { events: rejected });
    return Response.json({ settled }, { status: 202 });
  } catch (error) {
    if (!(error instanceof FeedServiceError || error instanceof DatabaseUnavailable)) throw error;
    metrics.events.inc({ result: "delayed" }, interactions.length);
    logger.warn("events.delayed", { events: interactions.length, error });
    const retryAfterSeconds = error instanceof FeedServiceError ? (error.retryAfterSeconds ?? 1) : 1;
    return problem(503, "tracking_unavailable", "the events cannot be stored; keep them and try again", {
      "Retry-After": String(retryAfterSeconds),
    });
  }
}
