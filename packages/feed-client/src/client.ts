import type { BatchResult, Health, Interaction, Problem, RecommendationPage, RecommendationRequest } from "./types";

export type FailureKind = "timeout" | "network" | "problem" | "malformed";

/** Why a call to the service gave no usable answer. */
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

  /** True when the same call may succeed later: nothing is wrong with the request itself. */
  get transient(): boolean {
    return this.kind !== "problem" || this.status === 429 || (this.status ?? 0) >= 500;
  }
}

export interface FeedServiceOptions {
  baseUrl: string;
  apiKey?: string;
  /** Sent with every call, such as the `traceparent` of the request that is being answered. */
  headers?: Record<string, string>;
  /** For the whole call, its retry included. */
  timeoutMs?: number;
  fetch?: typeof globalThis.fetch;
  /** In [0, 1): spreads retries, so that many clients do not return at the same moment. */
  random?: () => number;
}

const RETRY_STATUS = new Set([502, 503, 504]);
const RETRY_BASE_MS = 60;

/**
 * The feed service over HTTP. Idempotent calls are tried once more after a jittered pause, inside the same deadline;
 * every failure is a `FeedServiceError`.
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

  /** One page of a user's feed. */
  async recommendations(
    request: RecommendationRequest,
    options: { signal?: AbortSignal } = {},
  ): Promise<RecommendationPage> {
    const answer = await this.call("POST", "/recommendations/generate", {
      body: request,
      idempotent: true,
      signal: options.signal,
    });
    if (!isRecommendationPage(answer)) {
      throw new FeedServiceError("malformed", "the answer is not a page of recommendations");
    }
    return answer;
  }

  /** Records one event; returns once it is committed. Tried again only when it carries an `event_id`. */
  async track(interaction: Interaction, options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.call("POST", "/interactions/track", {
      body: interaction,
      idempotent: interaction.event_id != null,
      signal: options.signal,
    });
  }

  /** Records up to 500 events, all or none. */
  async trackBatch(interactions: Interaction[], options: { signal?: AbortSignal } = {}): Promise<BatchResult> {
    const answer = await this.call("POST", "/interactions/batch", {
      body: { interactions },
      idempotent: interactions.every((interaction) => interaction.event_id != null),
      signal: options.signal,
    });
    if (!isRecord(answer) || answer["status"] !== "tracked") {
      throw new FeedServiceError("malformed", "the answer does not say that the events are tracked");
    }
    return answer as unknown as BatchResult;
  }

  /** The service's own account of its state. */
  async health(options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<Health> {
    const answer = await this.call("GET", "/health", { idempotent: true, ...options });
    if (!isRecord(answer) || typeof answer["status"] !== "string") {
      throw new FeedServiceError("malformed", "the answer is not a health report");
    }
    return answer as unknown as Health;
  }

  private async call(
    method: "GET" | "POST",
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
      return await this.once(path, init, signal, timeoutMs);
    } catch (error) {
      if (!options.idempotent || !isWorthRetrying(error)) throw error;
      await pause(RETRY_BASE_MS * (0.5 + this.random()), signal);
      if (signal.aborted) throw error;
      return await this.once(path, init, signal, timeoutMs);
    }
  }

  private async once(path: string, init: RequestInit, signal: AbortSignal, timeoutMs: number): Promise<unknown> {
    let response: Response;
    let text: string;
    try {
      response = await this.fetch(this.baseUrl + path, init);
      text = await response.text(); // the deadline covers the body too: a server may stall after its headers
    } catch (error) {
      if (signal.aborted) throw new FeedServiceError("timeout", `no answer within ${timeoutMs} ms`);
      throw new FeedServiceError("network", error instanceof Error ? causeOf(error) : String(error));
    }
    if (!response.ok) throw problemOf(response, text);
    try {
      return JSON.parse(text);
    } catch {
      throw new FeedServiceError("malformed", "the answer is not JSON", response.status);
    }
  }
}

function isWorthRetrying(error: unknown): boolean {
  if (!(error instanceof FeedServiceError)) return false;
  return error.kind === "network" || (error.kind === "problem" && RETRY_STATUS.has(error.status ?? 0));
}

function causeOf(error: Error): string {
  const cause = error.cause;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}

function problemOf(response: Response, text: string): FeedServiceError {
  let problem: Problem = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (isRecord(parsed)) problem = parsed as Problem;
  } catch {
    // a proxy's HTML page: the status says enough
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

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
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
