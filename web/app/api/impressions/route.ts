import { FeedServiceError } from "@feed/client";
import type { NextRequest } from "next/server";
import { seenBody } from "@/lib/feed/seen";
import { metrics } from "@/lib/platform/metrics";
import { problem } from "@/lib/platform/problem";
import { readUserRequest } from "@/lib/platform/user-request";
import { MLServiceClient } from "@/lib/services/ml-service";

export const dynamic = "force-dynamic";

const RULES = { schema: seenBody, invalidCode: "invalid_impressions", maxLength: 256 * 1024 };

/**
 * `POST /api/impressions`: reports which posts of pages were on the screen of the session's user. The body is
 * `{user, pages: [{request_id, seen}]}`. Reports of pages that the service has not stored are ignored.
 */
export async function POST(request: NextRequest): Promise<Response> {
  const read = await readUserRequest(request, RULES);
  if (read instanceof Response) return read;
  const service = MLServiceClient.withTraceOf(request);
  const count = (result: string) => metrics.impressions.inc({ result }, read.body.pages.length);
  try {
    await Promise.all(read.body.pages.map((page) => service.reportSeen({ user_id: read.userId, ...page })));
    count("recorded");
    return Response.json({ status: "recorded" }, { status: 202 });
  } catch (error) {
    if (!(error instanceof FeedServiceError)) throw error;
    if (error.code === "unknown_user") return Response.json({ status: "recorded" }, { status: 202 });
    count("failed");
    return problem(503, "impressions_unavailable", "what was seen cannot be stored; try again later", {
      "Retry-After": String(error.retryAfterSeconds ?? 1),
    });
  }
}
