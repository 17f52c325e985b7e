import type {
  BatchPost,
  BatchResult,
  Feedback,
  FollowResult,
  Health,
  Interaction,
  MergeResult,
  Pages,
  PagesRequest,
  PostFields,
  Problem,
  Ranking,
  RankRequest,
  RecommendationPage,
  RecommendationRequest,
  Retraction,
  RetractResult,
  SeenReport,
  SeenResult,
  SimilarPosts,
  SuggestedFollows,
  Updates,
  UpdatesRequest,
  UserControls,
  UserFields,
} from "./types.ts";

export type FailureKind = "timeout" | "network" | "problem" | "malformed";

/** A call to the service failed. `kind` says how. */
export class FeedServiceError extends Error {
  override readonly name = "FeedServiceError";

  constructor(
    readonly kind: FailureKind,
    message: string,
    readonly status: number | null = null,
    readonly code: string | null = null,
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(message);
  }

  /** True if the same call may succeed later, because the request itself is valid. */
  get transient(): boolean {
    return this.kind !== "problem" || this.status === 429 || (this.status ?? 0) >= 500;
  }
}

export interface FeedServiceOptions {
  baseUrl: string;
  apiKey?: string;
  /** Headers for every call, such as the `traceparent` of an incoming request. */
  headers?: Record<string, string>;
  /** The time limit for a call and its retry together. Default: 3000. */
  timeoutMs?: number;
  fetch?: typeof globalThis.fetch;
  /** Returns a number in [0, 1) that spreads the retries of many clients over time. */
  random?: () => number;
}

const RETRIED_STATUSES = new Set([502, 503, 504]);
const RETRY_DELAY_MS = 60;
/** The service stores a page within this time after its response, unless it is under load. */
const PAGE_STORED_DELAY_MS = 500;

/**
 * An HTTP client of the feed service. A failed idempotent call is repeated once after a random delay, within the same
 * time limit. Every failure is a `FeedServiceError`.
 */
export class FeedServiceClient {
  private readonly baseUrl: string;
  private readonly timeoutMs: number;
  private readonly headers: Record<string, string>;
  private readonly fetch: typeof globalThis.fetch;
  private readonly random: () => number;

  constructor(options: FeedServiceOptions) {
    this.baseUrl = options.baseUrl.replace(/\/+$/, "");
    this.timeoutMs = options.timeoutMs ?? 3000;
    this.headers = { ...options.headers, ...(options.apiKey ? { "X-API-Key": options.apiKey } : {}) };
    this.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.random = options.random ?? Math.random;
  }

  /** One page of a user's recommendations. */
  async recommendations(
    request: RecommendationRequest,
    options: { signal?: AbortSignal } = {},
  ): Promise<RecommendationPage> {
    const body = await this.call("POST", "/recommendations/generate", {
      body: request,
      idempotent: true,
      signal: options.signal,
    });
    if (!isRecommendationPage(body)) {
      throw new FeedServiceError(
        "malformed",
        "POST /recommendations/generate: the response is not a page of recommendations",
      );
    }
    return body;
  }

  /** Stores one event and returns after the commit. The call is repeated only if the event has an `event_id`. */
  async track(interaction: Interaction, options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.call("POST", "/interactions/track", {
      body: interaction,
      idempotent: interaction.event_id != null,
      signal: options.signal,
    });
  }

  /** Stores up to 500 events in one transaction. The call is repeated only if each event has an `event_id`. */
  async trackBatch(interactions: Interaction[], options: { signal?: AbortSignal } = {}): Promise<BatchResult> {
    return this.sendBatch("/interactions/batch", interactions, options);
  }

  /**
   * As `trackBatch`, but stores the valid events though others are not; `rejected` of the result names those by `index`
   * and `code`.
   */
  async trackValid(interactions: Interaction[], options: { signal?: AbortSignal } = {}): Promise<BatchResult> {
    return this.sendBatch("/interactions/batch?partial=true", interactions, options);
  }

  private async sendBatch(
    path: string,
    interactions: Interaction[],
    options: { signal?: AbortSignal },
  ): Promise<BatchResult> {
    const body = await this.call("POST", path, {
      body: { interactions },
      idempotent: interactions.every((interaction) => interaction.event_id != null),
      signal: options.signal,
    });
    if (!isRecord(body) || body["status"] !== "tracked") {
      throw new FeedServiceError("malformed", `POST ${path}: the response does not confirm the events`);
    }
    return body as unknown as BatchResult;
  }

  /** Takes events back, such as a like, and returns after the commit. Repeating the call removes nothing more. */
  async retract(retraction: Retraction, options: { signal?: AbortSignal } = {}): Promise<RetractResult> {
    const body = await this.call("POST", "/interactions/retract", {
      body: retraction,
      idempotent: true,
      signal: options.signal,
    });
    if (!isRecord(body) || body["status"] !== "retracted") {
      throw new FeedServiceError("malformed", "POST /interactions/retract: the response does not confirm the removal");
    }
    return body as unknown as RetractResult;
  }

  /**
   * Sets a control of a user, such as a hidden post or a muted author, or takes it back with `undo`. Returns after the
   * commit. The call is repeated only if it has an `event_id`.
   */
  async feedback(feedback: Feedback, options: { signal?: AbortSignal } = {}): Promise<void> {
    const body = await this.call("POST", "/feedback", {
      body: feedback,
      idempotent: feedback.event_id != null,
      signal: options.signal,
    });
    if (!isRecord(body) || body["status"] !== "recorded") {
      throw new FeedServiceError("malformed", "POST /feedback: the response does not confirm the feedback");
    }
  }

  /** The controls of a user that are in force. */
  async controls(userId: string, options: { signal?: AbortSignal } = {}): Promise<UserControls> {
    const path = `/users/${encodeURIComponent(userId)}/controls`;
    const body = await this.call("GET", path, { idempotent: true, signal: options.signal });
    if (!isRecord(body) || !Array.isArray(body["controls"])) {
      throw new FeedServiceError("malformed", `GET ${path}: the response is not a list of controls`);
    }
    return body as unknown as UserControls;
  }

  /** Makes one user follow another, and returns after the commit. Repeating the call changes nothing. */
  async follow(userId: string, followeeId: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.setFollow("PUT", "followed", userId, followeeId, options);
  }

  /** Ends a follow, and returns after the commit. Repeating the call changes nothing. */
  async unfollow(userId: string, followeeId: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.setFollow("DELETE", "unfollowed", userId, followeeId, options);
  }

  /** Creates a user or changes some fields, and returns after the commit. Repeating the call changes nothing. */
  async putUser(userId: string, fields: UserFields, options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.write("PUT", `/users/${encodeURIComponent(userId)}`, fields, "stored", options);
  }

  /**
   * Makes two users one person: `fromUserId`, such as a visitor before the sign-up, becomes a part of `userId`. Returns
   * after the commit. Repeating the call changes nothing.
   */
  async mergeUsers(userId: string, fromUserId: string, options: { signal?: AbortSignal } = {}): Promise<MergeResult> {
    const path = `/users/${encodeURIComponent(userId)}/merge`;
    const body = { from_user_id: fromUserId };
    return (await this.write("POST", path, body, "merged", options)) as unknown as MergeResult;
  }

  /** Creates a post or changes some fields, and returns after the commit. Repeating the call changes nothing. */
  async putPost(postId: string, fields: PostFields, options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.write("PUT", `/posts/${encodeURIComponent(postId)}`, fields, "stored", options);
  }

  /** Creates or changes up to 500 posts in one transaction. Repeating the call changes nothing. */
  async putPosts(posts: BatchPost[], options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.write("POST", "/posts/batch", { posts }, "stored", options);
  }

  /** Deletes a post with its events, and returns after the commit. Repeating the call changes nothing. */
  async deletePost(postId: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.write("DELETE", `/posts/${encodeURIComponent(postId)}`, undefined, "deleted", options);
  }

  /** How many posts are new since the list of a cursor began. A new list shows them. */
  async updates(request: UpdatesRequest, options: { signal?: AbortSignal } = {}): Promise<Updates> {
    const body = await this.call("POST", "/recommendations/updates", {
      body: request,
      idempotent: true,
      signal: options.signal,
    });
    if (!isRecord(body) || typeof body["new"] !== "number") {
      throw new FeedServiceError("malformed", "POST /recommendations/updates: the response has no number of new posts");
    }
    return body as unknown as Updates;
  }

  /** The given posts in the order of the user's feed, such as the results of a search. */
  async rank(request: RankRequest, options: { signal?: AbortSignal } = {}): Promise<Ranking> {
    return this.read<Ranking>("POST", "/recommendations/rank", "recommendations", { body: request, ...options });
  }

  /** The first pages of several users, such as for a digest. The time limit is ten times that of other calls. */
  async recommendationsBatch(request: PagesRequest, options: { signal?: AbortSignal } = {}): Promise<Pages> {
    const timeoutMs = 10 * this.timeoutMs;
    return this.read<Pages>("POST", "/recommendations/batch", "pages", { body: request, timeoutMs, ...options });
  }

  /** The posts most similar to a post that a user may see; without `userId`, that everybody may see. */
  async similar(
    postId: string,
    options: { userId?: string; limit?: number; signal?: AbortSignal } = {},
  ): Promise<SimilarPosts> {
    const { userId, limit, signal } = options;
    const path = `/posts/${encodeURIComponent(postId)}/similar${query({ user_id: userId, limit })}`;
    return this.read<SimilarPosts>("GET", path, "recommendations", { signal });
  }

  /** Users whom a user may want to follow. */
  async suggestedFollows(
    userId: string,
    options: { limit?: number; signal?: AbortSignal } = {},
  ): Promise<SuggestedFollows> {
    const { limit, signal } = options;
    const path = `/users/${encodeURIComponent(userId)}/suggested-follows${query({ limit })}`;
    return this.read<SuggestedFollows>("GET", path, "users", { signal });
  }

  /**
   * Reports which posts of a page were on screen, and returns after the commit. Repeating the call changes nothing. If
   * the page is not stored yet, because another process of the service made it just now, the call is repeated once.
   */
  async reportSeen(report: SeenReport, options: { signal?: AbortSignal } = {}): Promise<SeenResult> {
    const result = await this.sendSeen(report, options);
    if (result.seen > 0) return result;
    await delay(PAGE_STORED_DELAY_MS, options.signal);
    return options.signal?.aborted ? result : this.sendSeen(report, options);
  }

  private async sendSeen(report: SeenReport, options: { signal?: AbortSignal }): Promise<SeenResult> {
    const body = await this.call("POST", "/impressions", { body: report, idempotent: true, signal: options.signal });
    if (!isRecord(body) || body["status"] !== "recorded") {
      throw new FeedServiceError("malformed", "POST /impressions: the response does not confirm the report");
    }
    return body as unknown as SeenResult;
  }

  /** The health report of the service. */
  async health(options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<Health> {
    const body = await this.call("GET", "/health", { idempotent: true, ...options });
    if (!isRecord(body) || typeof body["status"] !== "string") {
      throw new FeedServiceError("malformed", "GET /health: the response is not a health report");
    }
    return body as unknown as Health;
  }

  private async setFollow(
    method: "PUT" | "DELETE",
    status: FollowResult["status"],
    userId: string,
    followeeId: string,
    options: { signal?: AbortSignal },
  ): Promise<void> {
    const path = `/users/${encodeURIComponent(userId)}/follows/${encodeURIComponent(followeeId)}`;
    await this.write(method, path, undefined, status, options);
  }

  /** A response with a list in `field`. Nothing is stored, so the call can be repeated. */
  private async read<Result>(
    method: "GET" | "POST",
    path: string,
    field: keyof Result & string,
    options: { body?: unknown; signal?: AbortSignal; timeoutMs?: number },
  ): Promise<Result> {
    const body = await this.call(method, path, { idempotent: true, ...options });
    if (!isRecord(body) || !Array.isArray(body[field])) {
      throw new FeedServiceError("malformed", `${method} ${path}: the response has no list of ${field}`);
    }
    return body as unknown as Result;
  }

  /** An idempotent write, whose response has this `status`. */
  private async write(
    method: "POST" | "PUT" | "DELETE",
    path: string,
    body: unknown,
    status: string,
    options: { signal?: AbortSignal },
  ): Promise<Record<string, unknown>> {
    const response = await this.call(method, path, { body, idempotent: true, signal: options.signal });
    if (!isRecord(response) || response["status"] !== status) {
      throw new FeedServiceError("malformed", `${method} ${path}: the response does not confirm the change`);
    }
    return response;
  }

  private async call(
    method: "GET" | "POST" | "PUT" | "DELETE",
    path: string,
    options: { body?: unknown; idempotent: boolean; signal?: AbortSignal; timeoutMs?: number },
  ): Promise<unknown> {
    const timeoutMs = options.timeoutMs ?? this.timeoutMs;
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = options.signal ? AbortSignal.any([deadline, options.signal]) : deadline;
    const init: RequestInit = {
      method,
      signal,
      cache: "no-store",
      headers: options.body === undefined ? this.headers : { ...this.headers, "Content-Type": "application/json" },
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
    };
    try {
      return await this.fetchJson(path, init, signal, timeoutMs);
    } catch (error) {
      if (!options.idempotent || !isRetryable(error)) throw error;
      await delay(RETRY_DELAY_MS * (0.5 + this.random()), signal);
      if (signal.aborted) throw error;
      return await this.fetchJson(path, init, signal, timeoutMs);
    }
  }

  private async fetchJson(path: string, init: RequestInit, signal: AbortSignal, timeoutMs: number): Promise<unknown> {
    let response: Response;
    let text: string;
    try {
      response = await this.fetch(this.baseUrl + path, init);
      text = await response.text(); // inside the time limit too: a server may stall after its headers
    } catch (error) {
      if (signal.aborted) throw new FeedServiceError("timeout", `no response within ${timeoutMs} ms`);
      throw new FeedServiceError("network", error instanceof Error ? messageWithCause(error) : String(error));
    }
    if (!response.ok) throw errorFromProblem(response, text);
    try {
      return JSON.parse(text);
    } catch {
      throw new FeedServiceError("malformed", "the response is not JSON", response.status);
    }
  }
}

/** The given parameters as a query string; "" without any. */
function query(parameters: Record<string, string | number | undefined>): string {
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, `${value}`]],
  );
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}

function isRetryable(error: unknown): boolean {
  if (!(error instanceof FeedServiceError)) return false;
  return error.kind === "network" || (error.kind === "problem" && RETRIED_STATUSES.has(error.status ?? 0));
}

function messageWithCause(error: Error): string {
  const cause = error.cause;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}

/** The error for a response with an error status. Its body may be an RFC 9457 problem. */
function errorFromProblem(response: Response, text: string): FeedServiceError {
  let problem: Problem = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (isRecord(parsed)) problem = parsed as Problem;
  } catch {
    // The body is not JSON, such as the HTML page of a proxy. The status is enough.
  }
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new FeedServiceError(
    "problem",
    problem.detail ?? problem.title ?? `status ${response.status}`,
    response.status,
    problem.code ?? null,
    Number.isFinite(retryAfter) ? retryAfter : null,
  );
}

function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isRecommendationPage(value: unknown): value is RecommendationPage {
  if (!isRecord(value) || !isRecord(value["metadata"]) || !Array.isArray(value["recommendations"])) return false;
  const cursor = value["metadata"]["next_cursor"];
  if (cursor !== null && cursor !== undefined && typeof cursor !== "string") return false;
  return value["recommendations"].every(
    (item) => isRecord(item) && typeof item["post_id"] === "string" && typeof item["reason"] === "string",
  );
}
