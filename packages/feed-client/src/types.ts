/** The types of the service's API, generated from its openapi.json, under shorter names. */
import type { components } from "./openapi";

type Schemas = components["schemas"];

export type RecommendationRequest = Schemas["GenerateRequest"];
export type FeedContext = Schemas["RequestContext"];
export type FeedMode = NonNullable<FeedContext["mode"]>;
export type Reason = Schemas["Reason"];
/** One recommended post. With `context.explain` it also has the parts of its score. */
export type Recommendation = Schemas["RecommendedPost"];
export type RecommendationMetadata = Schemas["AnswerMetadata"];
export type RecommendationPage = Schemas["GenerateResponse"];
export type Interaction = Schemas["TrackRequest"];
export type InteractionType = Interaction["interaction_type"];
export type BatchResult = Schemas["BatchResponse"];
/** What to take back: all events of a type with a post, or the one event with an `event_id`. */
export type Retraction =
  | { user_id: string; post_id: string; interaction_type: InteractionType }
  | { user_id: string; event_id: string };
export type RetractResult = Schemas["RetractResponse"];
export type Health = Schemas["HealthResponse"];
/** An error response in the format of RFC 9457, with a stable `code`. */
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
