/** The types of the service's API, generated from its openapi.json, under shorter names. */
import type { components } from "./openapi.ts";

type Schemas = components["schemas"];

export type RecommendationRequest = Schemas["GenerateRequest"];
export type FeedContext = Schemas["RequestContext"];
export type FeedMode = NonNullable<FeedContext["mode"]>;
export type Reason = Schemas["Reason"];
/** One true fact about a post and the user. */
export type Evidence = Schemas["PostEvidence"];
export type EvidenceKind = Schemas["EvidenceKind"];
/** One recommended post. With `context.explain` it also has the parts of its score. */
export type Recommendation = Schemas["RecommendedPost"];
export type RecommendationMetadata = Schemas["AnswerMetadata"];
export type RecommendationPage = Schemas["GenerateResponse"];
/** The fields of a user; those that are omitted stay as they are. */
export type UserFields = Schemas["UserBody"];
/** All rows about a user, by table. */
export type UserData = Schemas["ExportResponse"];
/** What a reset removed, by table. */
export type ResetResult = Schemas["ResetResponse"];
/** The receipt of an erasure. */
export type ErasureResult = Schemas["ErasureResponse"];
/** The fields of a post; those that are omitted stay as they are. */
export type PostFields = Schemas["PostBody"];
export type BatchPost = Schemas["BatchPost"];
export type Interaction = Schemas["TrackRequest"];
export type InteractionType = Interaction["interaction_type"];
export type BatchResult = Schemas["BatchResponse"];
/** What to take back: all events of a type with a post, or the one event with an `event_id`. */
export type Retraction =
  | { user_id: string; post_id: string; interaction_type: InteractionType }
  | { user_id: string; event_id: string };
export type RetractResult = Schemas["RetractResponse"];
export type PostFeedbackAction = "hide_post" | "not_interested" | "report_post";
export type AuthorFeedbackAction = "mute_author" | "block_author";
export type FeedbackAction = PostFeedbackAction | AuthorFeedbackAction | "mute_tag" | "mute_word";
/** What a user does not want to see: a post, an author, a tag or a word. */
export type FeedbackTarget =
  | { action: PostFeedbackAction; post_id: string }
  | { action: AuthorFeedbackAction; author_id: string }
  | { action: "mute_tag"; tag: string }
  | { action: "mute_word"; word: string };
/** Sets a control of a user, or takes it back. */
export type Feedback = FeedbackTarget & {
  user_id: string;
  /** True takes back an earlier control with the same action and target. Default: false. */
  undo?: boolean;
  /** The time, in ISO 8601, at which the control ends. Default: it holds until the user takes it back. */
  until?: string | null;
  /** The same id is stored once. */
  event_id?: string | null;
};
/** A control that is in force. Exactly one of `post_id`, `author_id`, `tag` and `word` is set. */
export interface UserControl {
  action: FeedbackAction;
  post_id: string | null;
  author_id: string | null;
  tag: string | null;
  word: string | null;
  created_at: string;
  until: string | null;
}
export interface UserControls {
  user_id: string;
  controls: UserControl[];
}
export type FollowResult = Schemas["FollowResponse"];
/** A list that the user has on screen, by the cursor of any of its pages. */
export type UpdatesRequest = Schemas["UpdatesRequest"];
/** The number of new posts, at most 100. `capped` is true if there are more. */
export type Updates = Schemas["UpdatesResponse"];
/** Up to 500 posts to rank for a user. */
export type RankRequest = Schemas["RankRequest"];
/** The posts that the user may see, best first. */
export type Ranking = Schemas["RankResponse"];
/** The posts with the most similar texts, most similar first. */
export type SimilarPosts = Schemas["SimilarResponse"];
/** Up to 100 users whose first pages are wanted, such as for a digest. */
export type PagesRequest = Schemas["PagesRequest"];
/** One page for each user, in the order of the request. */
export type Pages = Schemas["PagesResponse"];
/** Users whom a user may want to follow, best first. */
export type SuggestedFollows = Schemas["SuggestedFollowsResponse"];
/** What a merge changed, by table. */
export type MergeResult = Schemas["MergeResponse"];
/** The posts of one page that were on screen, also for less than a second. */
export type SeenReport = Schemas["ImpressionsRequest"];
export type SeenResult = Schemas["ImpressionsResponse"];
/** Why a post is, or is not, on the first page of a user's feed, for operators. */
export type PostTrace = Schemas["ExplainResponse"];
/** What the feed knows about a user, and the list that they would get, for operators. */
export type UserOverview = Schemas["UserResponse"];
/** All experiments of the service. */
export type Experiments = Schemas["ExperimentsResponse"];
/** An experiment, its variants and stops, and its last read-out. */
export type ExperimentOverview = Schemas["ExperimentItem"];
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
