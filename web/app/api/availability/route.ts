import type { NextRequest } from "next/server";
import { noSession } from "@/lib/platform/problem";
import { currentUser } from "@/lib/platform/session";
import { AvailabilityCheck } from "@/lib/services/availability";
import { MLServiceClient } from "@/lib/services/ml-service";

export const dynamic = "force-dynamic";

const check = new AvailabilityCheck();

/** `GET /api/availability`: whether the service returns recommendations, for pages that show fallback posts. */
export async function GET(request: NextRequest): Promise<Response> {
  const user = await currentUser(request);
  if (user === null) return noSession();
  const available = await check.isAvailable(MLServiceClient.withTraceOf(request), user.id);
  return Response.json({ available }, { headers: { "Cache-Control": "no-store" } });
}
