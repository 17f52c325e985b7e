import {
  type BatchResult,
  FeedServiceClient,
  FeedServiceError,
  type Health,
  type Interaction,
  type RecommendationPage,
  type RecommendationRequest,
} from "@feed/client";
import { config } from "@/lib/platform/config";
import { logger } from "@/lib/logger";

const RECOMMENDATION_TIMEOUT_MS = 3000;
const TRACKING_TIMEOUT_MS = 2000;
const HEALTH_TIMEOUT_MS = 1000;
/** W3C Trace Context, as the proxy in front of us may have begun it. */
const TRACE_HEADERS = ["traceparent", "tracestate"];

/** The service knows the cursor no more, or never did: a new list helps. */
export class RefusedCursor extends Error {
  override readonly name = "RefusedCursor";
}

/** The recommendation service as the feed uses it: an answer in time, or null and the fallback. */
export class MLServiceClient {
  private readonly client: FeedServiceClient;

  constructor(
    baseUrl: string = config.mlServiceUrl,
    private readonly timeout: number = RECOMMENDATION_TIMEOUT_MS,
    headers: Record<string, string> = {},
  ) {
    this.client = new FeedServiceClient({ baseUrl, apiKey: config.mlServiceApiKey, timeoutMs: timeout, headers });
  }

  /** For the answer to one request: what the service does for it belongs to the same trace. */
  static during(request: Request): MLServiceClient {
    const trace = TRACE_HEADERS.flatMap((name) => {
      const value = request.headers.get(name);
      return value === null ? [] : [[name, value]];
    });
    return new MLServiceClient(config.mlServiceUrl, RECOMMENDATION_TIMEOUT_MS, Object.fromEntries(trace));
  }

  /** One page of the user's list, or null when the service gives none within 3 s. Raises RefusedCursor. */
  async getRecommendations(
    userId: string,
    limit: number = 50,
    { signal, ...options }: Omit<RecommendationRequest, "user_id" | "limit"> & { signal?: AbortSignal } = {},
  ): Promise<RecommendationPage | null> {
    const started = performance.now();
    try {
      return await this.client.recommendations({ user_id: userId, limit, ...options }, { signal });
    } catch (error) {
      if (!(error instanceof FeedServiceError)) throw error;
      if (error.code === "invalid_cursor" || error.code === "expired_cursor") throw new RefusedCursor(error.message);
      logger.warn("ml_service.no_recommendations", {
        kind: error.kind,
        status: error.status,
        code: error.code,
        message: error.message,
        budget_ms: this.timeout,
        duration_ms: Math.round(performance.now() - started),
      });
      return null;
    }
  }

  /** Stores events; raises FeedServiceError when they are not, or not known to be, committed. */
  async track(interactions: Interaction[]): Promise<BatchResult> {
    return this.client.trackBatch(interactions, { signal: AbortSignal.timeout(TRACKING_TIMEOUT_MS) });
  }

  /** The service's report on itself; null when it gives none within 1 s. */
  async getHealth(): Promise<Health | null> {
    try {
      return await this.client.health({ timeoutMs: HEALTH_TIMEOUT_MS });
    } catch {
      return null;
    }
  }

  async healthCheck(): Promise<boolean> {
    return (await this.getHealth()) !== null;
  }
}
