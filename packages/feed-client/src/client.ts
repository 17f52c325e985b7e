import createClient, { type Client } from "openapi-fetch";
import type { paths } from "./openapi.ts";
import type {
  BatchPost,
  BatchResult,
  ErasureResult,
  Experiments,
  Feedback,
  Health,
  Interaction,
  MergeResult,
  Pages,
  PagesRequest,
  PostFields,
  PostTrace,
  Problem,
  Ranking,
  RankRequest,
  RecommendationPage,
  RecommendationRequest,
  ResetResult,
  Retraction,
  RetractResult,
  SeenReport,
  SeenResult,
  SimilarPosts,
  SuggestedFollows,
  Updates,
  UpdatesRequest,
  UserControls,
  UserData,
  UserFields,
  UserOverview,
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

/** What the service returned, as `openapi-fetch` reads it. */
interface Answer<Data> {
  data?: Data | undefined;
  error?: unknown;
  response: Response;
}

interface CallOptions {
  /** Repeat the call once if the service cannot be reached. */
  idempotent: boolean;
  signal?: AbortSignal | undefined;
  timeoutMs?: number;
}

/**
 * An HTTP client of the feed service. A failed idempotent call is repeated once after a random delay, within the same
 * time limit. Every failure is a `FeedServiceError`.
 */
export class FeedServiceClient {
  private readonly timeoutMs: number;
  private readonly http: Client<paths>;
  private readonly random: () => number;

  constructor(options: FeedServiceOptions) {
    this.timeoutMs = options.timeoutMs ?? 3000;
    this.http = createClient<paths>({
      baseUrl: options.baseUrl.replace(/\/+$/, ""),
      headers: { ...options.headers, ...(options.apiKey ? { "X-API-Key": options.apiKey } : {}) },
      cache: "no-store",
      fetch: options.fetch ?? ((request) => globalThis.fetch(request)),
    });
    this.random = options.random ?? Math.random;
  }

  /** One page of a user's recommendations. */
  async recommendations(
    request: RecommendationRequest,
    options: { signal?: AbortSignal } = {},
  ): Promise<RecommendationPage> {
    return this.call(
      (signal) => this.http.POST("/recommendations/generate", { body: request, signal }),
      isRecommendationPage,
      { idempotent: true, ...options },
    );
  }

  /** Stores one event and returns after the commit. The call is repeated only if the event has an `event_id`. */
  async track(interaction: Interaction, options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.call((signal) => this.http.POST("/interactions/track", { body: interaction, signal }), isRecord, {
      idempotent: interaction.event_id != null,
      ...options,
    });
  }

  /** Stores up to 500 events in one transaction. The call is repeated only if each event has an `event_id`. */
  async trackBatch(interactions: Interaction[], options: { signal?: AbortSignal } = {}): Promise<BatchResult> {
    return this.sendBatch(interactions, false, options);
  }

  /**
   * As `trackBatch`, but stores the valid events though others are not; `rejected` of the result names those by `index`
   * and `code`.
   */
  async trackValid(interactions: Interaction[], options: { signal?: AbortSignal } = {}): Promise<BatchResult> {
    return this.sendBatch(interactions, true, options);
  }

  private async sendBatch(
    interactions: Interaction[],
    partial: boolean,
    options: { signal?: AbortSignal },
  ): Promise<BatchResult> {
    const params = partial ? { query: { partial } } : {};
    return this.call(
      (signal) => this.http.POST("/interactions/batch", { params, body: { interactions }, signal }),
      hasStatus("tracked"),
      { idempotent: interactions.every((interaction) => interaction.event_id != null), ...options },
    );
  }

  /** Takes events back, such as a like, and returns after the commit. Repeating the call removes nothing more. */
  async retract(retraction: Retraction, options: { signal?: AbortSignal } = {}): Promise<RetractResult> {
    return this.call(
      (signal) => this.http.POST("/interactions/retract", { body: retraction, signal }),
      hasStatus("retracted"),
      { idempotent: true, ...options },
    );
  }

  /**
   * Sets a control of a user, such as a hidden post or a muted author, or takes it back with `undo`. Returns after the
   * commit. The call is repeated only if it has an `event_id`.
   */
  async feedback(feedback: Feedback, options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.call((signal) => this.http.POST("/feedback", { body: feedback, signal }), hasStatus("recorded"), {
      idempotent: feedback.event_id != null,
      ...options,
    });
  }

  /** The controls of a user that are in force. */
  async controls(userId: string, options: { signal?: AbortSignal } = {}): Promise<UserControls> {
    const params = { path: { user_id: userId } };
    return this.read((signal) => this.http.GET("/users/{user_id}/controls", { params, signal }), "controls", options);
  }

  /** Makes one user follow another, and returns after the commit. Repeating the call changes nothing. */
  async follow(userId: string, followeeId: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    const params = { path: { user_id: userId, followee_id: followeeId } };
    await this.write(
      (signal) => this.http.PUT("/users/{user_id}/follows/{followee_id}", { params, signal }),
      "followed",
      options,
    );
  }

  /** Ends a follow, and returns after the commit. Repeating the call changes nothing. */
  async unfollow(userId: string, followeeId: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    const params = { path: { user_id: userId, followee_id: followeeId } };
    await this.write(
      (signal) => this.http.DELETE("/users/{user_id}/follows/{followee_id}", { params, signal }),
      "unfollowed",
      options,
    );
  }

  /** Creates a user or changes some fields, and returns after the commit. Repeating the call changes nothing. */
  async putUser(userId: string, fields: UserFields, options: { signal?: AbortSignal } = {}): Promise<void> {
    const params = { path: { user_id: userId } };
    await this.write(
      (signal) => this.http.PUT("/users/{user_id}", { params, body: fields, signal }),
      "stored",
      options,
    );
  }

  /**
   * Makes two users one person: `fromUserId`, such as a visitor before the sign-up, becomes a part of `userId`. Returns
   * after the commit. Repeating the call changes nothing.
   */
  async mergeUsers(userId: string, fromUserId: string, options: { signal?: AbortSignal } = {}): Promise<MergeResult> {
    const given = { params: { path: { user_id: userId } }, body: { from_user_id: fromUserId } };
    return this.write((signal) => this.http.POST("/users/{user_id}/merge", { ...given, signal }), "merged", options);
  }

  /** All rows about a user. The time limit of this call, a reset and an erasure is ten times that of other calls. */
  async exportUser(userId: string, options: { signal?: AbortSignal } = {}): Promise<UserData> {
    const params = { path: { user_id: userId } };
    return this.read(
      (signal) => this.http.GET("/users/{user_id}/export", { params, signal }),
      "interactions",
      this.withLongLimit(options),
    );
  }

  /** Removes what a user did and was shown, and returns after the commit. Repeating the call changes nothing. */
  async resetUser(userId: string, options: { signal?: AbortSignal } = {}): Promise<ResetResult> {
    const params = { path: { user_id: userId } };
    return this.write(
      (signal) => this.http.POST("/users/{user_id}/reset", { params, signal }),
      "reset",
      this.withLongLimit(options),
    );
  }

  /** Erases a user for good, and returns after the commit. Repeating the call returns the same receipt. */
  async eraseUser(userId: string, options: { signal?: AbortSignal } = {}): Promise<ErasureResult> {
    const params = { path: { user_id: userId } };
    return this.write(
      (signal) => this.http.DELETE("/users/{user_id}", { params, signal }),
      "erased",
      this.withLongLimit(options),
    );
  }

  /** Creates a post or changes some fields, and returns after the commit. Repeating the call changes nothing. */
  async putPost(postId: string, fields: PostFields, options: { signal?: AbortSignal } = {}): Promise<void> {
    const params = { path: { post_id: postId } };
    await this.write(
      (signal) => this.http.PUT("/posts/{post_id}", { params, body: fields, signal }),
      "stored",
      options,
    );
  }

  /** Creates or changes up to 500 posts in one transaction. Repeating the call changes nothing. */
  async putPosts(posts: BatchPost[], options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.write((signal) => this.http.POST("/posts/batch", { body: { posts }, signal }), "stored", options);
  }

  /** Deletes a post with its events, and returns after the commit. Repeating the call changes nothing. */
  async deletePost(postId: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    const params = { path: { post_id: postId } };
    await this.write((signal) => this.http.DELETE("/posts/{post_id}", { params, signal }), "deleted", options);
  }

  /** How many posts are new since the list of a cursor began. A new list shows them. */
  async updates(request: UpdatesRequest, options: { signal?: AbortSignal } = {}): Promise<Updates> {
    return this.call(
      (signal) => this.http.POST("/recommendations/updates", { body: request, signal }),
      (body) => isRecord(body) && typeof body["new"] === "number",
      { idempotent: true, ...options },
    );
  }

  /** The given posts in the order of the user's feed, such as the results of a search. */
  async rank(request: RankRequest, options: { signal?: AbortSignal } = {}): Promise<Ranking> {
    return this.read(
      (signal) => this.http.POST("/recommendations/rank", { body: request, signal }),
      "recommendations",
      options,
    );
  }

  /** The first pages of several users, such as for a digest. The time limit is ten times that of other calls. */
  async recommendationsBatch(request: PagesRequest, options: { signal?: AbortSignal } = {}): Promise<Pages> {
    return this.read(
      (signal) => this.http.POST("/recommendations/batch", { body: request, signal }),
      "pages",
      this.withLongLimit(options),
    );
  }

  /** The posts most similar to a post that a user may see; without `userId`, that everybody may see. */
  async similar(
    postId: string,
    options: { userId?: string; limit?: number; signal?: AbortSignal } = {},
  ): Promise<SimilarPosts> {
    const { userId, limit, ...others } = options;
    const params = { path: { post_id: postId }, query: given({ user_id: userId, limit }) };
    return this.read(
      (signal) => this.http.GET("/posts/{post_id}/similar", { params, signal }),
      "recommendations",
      others,
    );
  }

  /** Users whom a user may want to follow. */
  async suggestedFollows(
    userId: string,
    options: { limit?: number; signal?: AbortSignal } = {},
  ): Promise<SuggestedFollows> {
    const { limit, ...others } = options;
    const params = { path: { user_id: userId }, query: given({ limit }) };
    return this.read(
      (signal) => this.http.GET("/users/{user_id}/suggested-follows", { params, signal }),
      "users",
      others,
    );
  }

  /**
   * Reports which posts of a page were on screen, and returns after the commit. Repeating the call changes nothing. If
   * the page is not stored yet, because another process of the service made it just now, the call is repeated once.
   */
  async reportSeen(report: SeenReport, options: { signal?: AbortSignal } = {}): Promise<SeenResult> {
    const send = () =>
      this.write((signal) => this.http.POST("/impressions", { body: report, signal }), "recorded", options);
    const result = await send();
    if (result.seen > 0) return result;
    await delay(PAGE_STORED_DELAY_MS, options.signal);
    return options.signal?.aborted ? result : send();
  }

  /** Why a post is, or is not, on the first page of a user's feed. The key needs the scope `admin`. */
  async explain(userId: string, postId: string, options: { signal?: AbortSignal } = {}): Promise<PostTrace> {
    const params = { query: { user_id: userId, post_id: postId } };
    return this.read((signal) => this.http.GET("/admin/explain", { params, signal }), "removed_by", options);
  }

  /** What the feed knows about a user, and the list that they would get. The key needs the scope `admin`. */
  async userOverview(userId: string, options: { limit?: number; signal?: AbortSignal } = {}): Promise<UserOverview> {
    const { limit, ...others } = options;
    const params = { path: { user_id: userId }, query: given({ limit }) };
    return this.read(
      (signal) => this.http.GET("/admin/users/{user_id}", { params, signal }),
      "recommendations",
      others,
    );
  }

  /** The experiments with what they show so far. The key needs the scope `admin`. */
  async experiments(options: { signal?: AbortSignal } = {}): Promise<Experiments> {
    return this.read((signal) => this.http.GET("/admin/experiments", { signal }), "experiments", options);
  }

  /** The health report of the service. */
  async health(options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<Health> {
    return this.call(
      (signal) => this.http.GET("/health", { signal }),
      (body) => isRecord(body) && typeof body["status"] === "string",
      { idempotent: true, ...options },
    );
  }

  /** The options of a call that reads or changes many rows. */
  private withLongLimit<Options extends object>(options: Options): Options & { timeoutMs: number } {
    return { timeoutMs: 10 * this.timeoutMs, ...options };
  }

  /** A response with a list in `field`. Nothing is stored, so the call can be repeated. */
  private async read<Result>(
    send: (signal: AbortSignal) => Promise<Answer<unknown>>,
    field: keyof Result & string,
    options: { signal?: AbortSignal; timeoutMs?: number },
  ): Promise<Result> {
    const hasList = (body: unknown) => isRecord(body) && Array.isArray(body[field]);
    return (await this.call(send, hasList, { idempotent: true, ...options })) as Result;
  }

  /** An idempotent write, whose response has this `status`. */
  private async write<Result extends { status?: string }>(
    send: (signal: AbortSignal) => Promise<Answer<Result>>,
    status: NonNullable<Result["status"]>,
    options: { signal?: AbortSignal; timeoutMs?: number },
  ): Promise<Result> {
    return this.call(send, hasStatus(status), { idempotent: true, ...options });
  }

  private async call<Data>(
    send: (signal: AbortSignal) => Promise<Answer<Data>>,
    isExpected: (body: unknown) => boolean,
    options: CallOptions,
  ): Promise<Data> {
    const timeoutMs = options.timeoutMs ?? this.timeoutMs;
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = options.signal ? AbortSignal.any([deadline, options.signal]) : deadline;
    let body: Data | undefined;
    try {
      body = await receive(send, signal, timeoutMs);
    } catch (error) {
      if (!options.idempotent || !isRetryable(error)) throw error;
      await delay(RETRY_DELAY_MS * (0.5 + this.random()), signal);
      if (signal.aborted) throw error;
      body = await receive(send, signal, timeoutMs);
    }
    if (body === undefined || !isExpected(body)) {
      throw new FeedServiceError("malformed", "the response does not have the fields that the API promises");
    }
    return body;
  }
}

/** The body of a successful response, read within the time limit: a server may stall after its headers. */
async function receive<Data>(
  send: (signal: AbortSignal) => Promise<Answer<Data>>,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Data | undefined> {
  let answer: Answer<Data>;
  try {
    answer = await send(signal);
  } catch (error) {
    if (signal.aborted) throw new FeedServiceError("timeout", `no response within ${timeoutMs} ms`);
    if (error instanceof SyntaxError) throw new FeedServiceError("malformed", "the response is not JSON");
    throw new FeedServiceError("network", error instanceof Error ? messageWithCause(error) : String(error));
  }
  if (!answer.response.ok) throw errorFromProblem(answer.response, answer.error);
  return answer.data;
}

/** The parameters that have a value. */
function given<Parameters extends object>(parameters: Parameters): Parameters {
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined)) as Parameters;
}

function isRetryable(error: unknown): boolean {
  if (!(error instanceof FeedServiceError)) return false;
  return error.kind === "network" || (error.kind === "problem" && RETRIED_STATUSES.has(error.status ?? 0));
}

function messageWithCause(error: Error): string {
  const cause = error.cause;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}

/** The error for a response with an error status. Its body may be an RFC 9457 problem, or the HTML page of a proxy. */
function errorFromProblem(response: Response, body: unknown): FeedServiceError {
  const problem: Problem = isRecord(body) ? body : {};
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

function hasStatus(status: string): (body: unknown) => boolean {
  return (body) => isRecord(body) && body["status"] === status;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isRecommendationPage(value: unknown): boolean {
  if (!isRecord(value) || !isRecord(value["metadata"]) || !Array.isArray(value["recommendations"])) return false;
  const cursor = value["metadata"]["next_cursor"];
  if (cursor !== null && cursor !== undefined && typeof cursor !== "string") return false;
  return value["recommendations"].every(
    (item) => isRecord(item) && typeof item["post_id"] === "string" && typeof item["reason"] === "string",
  );
}
