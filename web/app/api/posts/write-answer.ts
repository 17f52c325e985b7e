import { logger } from "@/lib/logger";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { metrics } from "@/lib/platform/metrics";
import { problem } from "@/lib/platform/problem";
import { PostRejected } from "@/lib/repositories/writing.repository";

/** The response to a post that is being stored or deleted: 202 after the commit, else the reason. */
export async function answerWrite(status: "stored" | "deleted", write: Promise<void>): Promise<Response> {
  try {
    await write;
    metrics.posts.inc({ result: status });
    return Response.json({ status }, { status: 202 });
  } catch (error) {
    if (error instanceof PostRejected) {
      metrics.posts.inc({ result: "refused" });
      return problem(error.status, error.code, error.message);
    }
    if (!(error instanceof DatabaseUnavailable)) throw error;
    metrics.posts.inc({ result: "delayed" });
    logger.warn("posts.delayed", { error });
    return problem(503, "storage_unavailable", "the post cannot be stored; keep it and try again", {
      "Retry-After": "1",
    });
  }
}
