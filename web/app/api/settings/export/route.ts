import { FeedServiceError } from "@feed/client";
import type { NextRequest } from "next/server";
import { resultOf, resultPath } from "@/app/settings/result";
import { logger } from "@/lib/logger";
import { metrics } from "@/lib/platform/metrics";
import { noSession, problem } from "@/lib/platform/problem";
import { isSameOrigin } from "@/lib/platform/same-origin";
import { currentUser } from "@/lib/platform/session";
import { secondsUntilAllowed } from "@/lib/platform/write-limit";
import { exportUser } from "@/lib/repositories/user-data.repository";
import { MLServiceClient } from "@/lib/services/ml-service";

export const dynamic = "force-dynamic";

/** The export counts as so many writes, because it reads all rows of the user. */
const WRITES = 100;

/** `GET /api/settings/export`: a file with all that is stored about the session's user. */
export async function GET(request: NextRequest): Promise<Response> {
  const user = await currentUser(request);
  if (user === null) return noSession();
  if (!isSameOrigin(request)) return problem(403, "foreign_origin", "Origin: not this site; use the page /settings");
  const fail = (result: Parameters<typeof resultPath>[2]) => {
    metrics.settings.inc({ form: "export", result });
    return new Response(null, { status: 303, headers: { Location: resultPath("/settings", "export", result) } });
  };
  if ((await secondsUntilAllowed(user.id, WRITES)) > 0) return fail("too_many");
  try {
    const data = await exportUser(MLServiceClient.withTraceOf(request), user.id);
    metrics.settings.inc({ form: "export", result: "saved" });
    return new Response(JSON.stringify(data, null, 2), {
      headers: {
        "Content-Type": "application/json",
        "Content-Disposition": 'attachment; filename="my-data.json"',
        "Cache-Control": "no-store",
      },
    });
  } catch (error) {
    if (!(error instanceof FeedServiceError)) throw error;
    logger.warn("settings.failed", { form: "export", error });
    return fail(resultOf(error));
  }
}
