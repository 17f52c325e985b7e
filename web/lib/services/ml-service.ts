import {
  type BatchResult,
  type Feedback,
  FeedServiceClient,
  FeedServiceError,
  type Health,
  type Interaction,
  type Recommendation,
  type RecommendationPage,
  type RecommendationRequest,
  type Retraction,
  type RetractResult,
  type SeenReport,
  type SeenResult,
  type SuggestedFollows,
  type Updates,
  type UserData,
  type UserFields,
} from "@feed/client";
import type { PostExplanation } from "@/lib/feed/post";
import { logger } from "@/lib/logger";
import { config } from "@/lib/platform/config";

const RECOMMENDATION_TIMEOUT_MS = 3000;
const TRACKING_TIMEOUT_MS = 2000;
const HEALTH_TIMEOUT_MS = 1000;
const SUGGESTION_TIMEOUT_MS = 1000;
/** The headers of W3C Trace Context. */
const TRACE_HEADERS = ["traceparent", "tracestate"];

/** The service rejected its own cursor as invalid or expired. A request without a cursor starts a new list. */
export class ServiceCursorRejected extends Error {
  override readonly name = "ServiceCursorRejected";
}

/** The recommendation service as the feed uses it. Recommendations are null when the service is unavailable. */
export class MLServiceClient {
  private readonly client: FeedServiceClient;

  constructor(
    baseUrl: string = config.mlServiceUrl,
    private readonly timeoutMs: number = RECOMMENDATION_TIMEOUT_MS,
    headers: Record<string, string> = {},
  ) {
    this.client = new FeedServiceClient({ baseUrl, apiKey: config.mlServiceApiKey, timeoutMs, headers });
  }

  /** A client that passes the trace headers of an incoming request to the service. */
  static withTraceOf(request: { headers: Pick<Headers, "get"> }): MLServiceClient {
    const headers = TRACE_HEADERS.flatMap((name) => {
      const value = request.headers.get(name);
      return value === null ? [] : [[name, value]];
    });
    return new MLServiceClient(config.mlServiceUrl, RECOMMENDATION_TIMEOUT_MS, Object.fromEntries(headers));
  }

  /** The first recommendations of the user's ranked list, best first; null when the service is unavailable. */
  async getRecommendations(userId: string, limit: number = 50): Promise<Recommendation[] | null> {
    const page = await this.getRecommendationPage({ user_id: userId, limit });
    return page?.recommendations ?? null;
  }

  /**
   * One page of a user's list with its metadata; null when the service does not return one within the time limit.
   * Throws ServiceCursorRejected.
   */
  async getRecommendationPage(
    request: RecommendationRequest,
    options: { signal?: AbortSignal } = {},
  ): Promise<RecommendationPage | null> {
    const startedAt = performance.now();
    try {
      return await this.client.recommendations(request, options);
    } catch (error) {
      if (!(error instanceof FeedServiceError)) throw error;
      if (error.code === "invalid_cursor" || error.code === "expired_cursor") {
        throw new ServiceCursorRejected(error.message);
      }
      logger.warn("ml_service.no_recommendations", {
        kind: error.kind,
        status: error.status,
        code: error.code,
        error,
        budget_ms: this.timeoutMs,
        duration_ms: Math.round(performance.now() - startedAt),
      });
      return null;
    }
  }

  /**
   * What the score of a post is made of for the user now; null if the feed may not show the post to the user. Throws
   * FeedServiceError.
   */
  async explainPost(userId: string, postId: string): Promise<PostExplanation | null> {
    const options = { signal: AbortSignal.timeout(TRACKING_TIMEOUT_MS) };
    const { recommendations } = await this.client.rank({ user_id: userId, post_ids: [postId], explain: true }, options);
    const [found] = recommendations;
    if (!found) return null;
    // The score and the probability compare with other posts of the ranking, of which there are none.
    const { post_id: _id, external_id: _externalId, score: _score, probability: _probability, ...explanation } = found;
    return explanation;
  }

  /** Stores events. Throws FeedServiceError when the service has not confirmed that they are committed. */
  async track(interactions: Interaction[]): Promise<BatchResult> {
    return this.client.trackBatch(interactions, { signal: AbortSignal.timeout(TRACKING_TIMEOUT_MS) });
  }

  /** Takes events back. Throws FeedServiceError when the service has not confirmed that the removal is committed. */
  async retract(retraction: Retraction): Promise<RetractResult> {
    return this.client.retract(retraction, { signal: AbortSignal.timeout(TRACKING_TIMEOUT_MS) });
  }

  /** Sets or takes back a control. Throws FeedServiceError when the service has not confirmed that it is committed. */
  async feedback(feedback: Feedback): Promise<void> {
    return this.client.feedback(feedback, { signal: AbortSignal.timeout(TRACKING_TIMEOUT_MS) });
  }

  /** Makes a user follow another, or ends it. Throws FeedServiceError when the service has not confirmed the commit. */
  async setFollow(userId: string, followeeId: string, follows: boolean): Promise<void> {
    const options = { signal: AbortSignal.timeout(TRACKING_TIMEOUT_MS) };
    await (follows
      ? this.client.follow(userId, followeeId, options)
      : this.client.unfollow(userId, followeeId, options));
  }

  /** Changes settings or interests of a user. Throws FeedServiceError when it is not confirmed that they are committed. */
  async putUser(userId: string, fields: UserFields): Promise<void> {
    await this.client.putUser(userId, fields, { signal: AbortSignal.timeout(TRACKING_TIMEOUT_MS) });
  }

  /** All rows about a user. Throws FeedServiceError. */
  async exportUser(userId: string): Promise<UserData> {
    return this.client.exportUser(userId);
  }

  /** Removes what a user did and was shown. Throws FeedServiceError when it is not confirmed that it is committed. */
  async resetUser(userId: string): Promise<void> {
    await this.client.resetUser(userId);
  }

  /** Erases a user for good. Throws FeedServiceError when it is not confirmed that it is committed. */
  async eraseUser(userId: string): Promise<void> {
    await this.client.eraseUser(userId);
  }

  /** How many posts are new since the list of a cursor began. Throws FeedServiceError. */
  async countUpdates(userId: string, cursor: string): Promise<Updates> {
    const options = { signal: AbortSignal.timeout(TRACKING_TIMEOUT_MS) };
    return this.client.updates({ user_id: userId, cursor }, options);
  }

  /** Reports which posts of a page were on screen. Throws FeedServiceError when the service has not confirmed it. */
  async reportSeen(report: SeenReport): Promise<SeenResult> {
    return this.client.reportSeen(report, { signal: AbortSignal.timeout(TRACKING_TIMEOUT_MS) });
  }

  /** Users whom a user may want to follow, best first; null when the service does not return them within a second. */
  async getSuggestedFollows(userId: string, limit: number): Promise<SuggestedFollows["users"] | null> {
    try {
      const options = { limit, signal: AbortSignal.timeout(SUGGESTION_TIMEOUT_MS) };
      return (await this.client.suggestedFollows(userId, options)).users;
    } catch (error) {
      if (!(error instanceof FeedServiceError)) throw error;
      return null;
    }
  }

  /** The ids of posts with similar texts, most similar first; null when the service does not return them within a second. */
  async getSimilarPostIds(userId: string, postId: string, limit: number): Promise<string[] | null> {
    try {
      const options = { userId, limit, signal: AbortSignal.timeout(SUGGESTION_TIMEOUT_MS) };
      const { recommendations } = await this.client.similar(postId, options);
      return recommendations.map(({ post_id }) => post_id);
    } catch (error) {
      if (!(error instanceof FeedServiceError)) throw error;
      return null;
    }
  }

  /** The service's health report; null when the service does not return one within a second. */
  async getHealth(): Promise<Health | null> {
    try {
      return await this.client.health({ timeoutMs: HEALTH_TIMEOUT_MS });
    } catch {
      return null;
    }
  }

  /** True if the service returns a health report. */
  async healthCheck(): Promise<boolean> {
    return (await this.getHealth()) !== null;
  }
}
