/** What the feed service takes and gives, in its own field names. */

export type InteractionType = "view" | "click" | "like" | "comment" | "share";
export type FeedMode = "ranked" | "following" | "newest";
export type Reason =
  | "collaborative_filtering"
  | "content_similarity"
  | "trending"
  | "recent"
  | "popular_author"
  | "following"
  | "exploration";

export interface FeedContext {
  exclude_seen?: boolean;
  mode?: FeedMode;
  explain?: boolean;
}

export interface RecommendationRequest {
  user_id: string;
  limit?: number;
  offset?: number;
  cursor?: string | null;
  exclude_ids?: string[];
  context?: FeedContext;
}

export interface Recommendation {
  post_id: string;
  /** Only where it differs from `post_id`. */
  external_id?: string | null;
  /** In [0, 1], comparable within one answer only. */
  score: number;
  reason: string;
  /** What the score is made of, only when asked for by `context.explain`. */
  [evidence: string]: unknown;
}

export interface RecommendationMetadata {
  total: number;
  model_version: string | null;
  generated_at: string;
  source: "personalized" | "cold_start" | "fallback";
  degraded: boolean;
  exhausted: boolean;
  request_id: string;
  next_cursor: string | null;
}

export interface RecommendationPage {
  user_id: string;
  recommendations: Recommendation[];
  metadata: RecommendationMetadata;
}

export interface Interaction {
  user_id: string;
  post_id: string;
  interaction_type: InteractionType;
  metadata?: Record<string, unknown>;
  /** A uuid; the same id is stored once, which is what makes a second delivery harmless. */
  event_id?: string;
  occurred_at?: string;
  request_id?: string | null;
}

export interface BatchResult {
  status: "tracked";
  accepted: number;
  duplicates: number;
}

export interface Health {
  status: "healthy" | "degraded";
  timestamp: string;
  model_version: string | null;
  model_loaded: boolean;
  [detail: string]: unknown;
}

/** RFC 9457 with the service's stable `code`. */
export interface Problem {
  title?: string;
  status?: number;
  detail?: string;
  code?: string;
  request_id?: string;
}
