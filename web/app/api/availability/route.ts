import type { NextRequest } from "next/server";
import { problem } from "@/lib/platform/problem";
import { sessionUserId } from "@/lib/platform/session";
import { AvailabilityCheck } from "@/lib/services/availability";
import { MLServiceClient } from "@/lib/services/ml-service";

export const dynamic = "force-dynamic";

const check = new AvailabilityCheck();

/** `GET /api/availability`: whether the service returns recommendations, for pages that show fallback posts. */
export async function GET(request: NextRequest): Promise<Response> {
  const userId = sessionUserId(request);
  if (userId === null) return problem(400, "no_user", "the session has no user; load the feed page first");
  const available = await check.isAvailable(MLServiceClient.withTraceOf(request), userId);
  return Response.json({ available }, { headers: { "Cache-Control": "no-store" } });
}
