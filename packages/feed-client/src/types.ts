/** The service's own types, made from its openapi.json, under the names that its callers use. */
import type { components } from "./openapi";

type Schemas = components["schemas"];

export type RecommendationRequest = Schemas["GenerateRequest"];
export type FeedContext = Schemas["RequestContext"];
export type FeedMode = NonNullable<FeedContext["mode"]>;
export type Reason = Schemas["Reason"];
/** One post; with `context.explain` it also carries what its score is made of. */
export type Recommendation = Schemas["RecommendedPost"];
export type RecommendationMetadata = Schemas["AnswerMetadata"];
export type RecommendationPage = Schemas["GenerateResponse"];
export type Interaction = Schemas["TrackRequest"];
export type InteractionType = Interaction["interaction_type"];
export type BatchResult = Schemas["BatchResponse"];
export type Health = Schemas["HealthResponse"];
/** RFC 9457 with the service's stable `code`. */
export type Problem = Partial<Schemas["ProblemResponse"]>;

/** One action of the user on this page. The server adds the user's id from the session. */
export interface FeedEvent {
  event_id: string;
  post_id: string;
  interaction_type: InteractionType;
  occurred_at: string;
  metadata?: Record<string, unknown>;
  request_id?: string | null;
}
