import {
  type Feedback,
  type FeedbackAction,
  type FeedbackTarget,
  FeedServiceError,
  type InteractionType,
  type Retraction,
  type RetractResult,
} from "@feed/client";
import { isId, isUuid } from "@/lib/platform/ids";
import { INTERACTION_TYPES } from "./events";

export const POST_ACTIONS: readonly FeedbackAction[] = ["hide_post", "not_interested", "report_post"];
export const AUTHOR_ACTIONS: readonly FeedbackAction[] = ["mute_author", "block_author"];

/** The destination of feedback. The application uses the recommendation service. */
export interface FeedbackSink {
  feedback(feedback: Feedback): Promise<unknown>;
}

/** The destination of retractions. The application uses the recommendation service. */
export interface RetractionSink {
  retract(retraction: Retraction): Promise<RetractResult>;
}

/** Feedback on this page. The server adds the user's id from the session. */
export type PageFeedback = FeedbackTarget & { event_id: string; undo: boolean };

export interface FeedbackBody {
  user: unknown;
  feedback: PageFeedback;
}

/** Checks the body of `POST /api/feedback`. Throws SyntaxError with the first wrong field and its rule. */
export function parseFeedback(body: unknown): FeedbackBody {
  const { user, action, post_id, author_id, event_id, undo = false } = (body ?? {}) as Record<string, unknown>;
  check(typeof event_id === "string" && isUuid(event_id), "event_id", "a UUID");
  check(typeof undo === "boolean", "undo", "true or false");
  const given = { action, event_id, undo };
  if (POST_ACTIONS.includes(action as FeedbackAction)) {
    check(typeof post_id === "string" && isId(post_id), "post_id", "the id of a post");
    check(author_id === undefined, "author_id", `absent for ${String(action)}`);
    return { user, feedback: { ...given, post_id } as PageFeedback };
  }
  check(
    AUTHOR_ACTIONS.includes(action as FeedbackAction),
    "action",
    `one of ${[...POST_ACTIONS, ...AUTHOR_ACTIONS].join(", ")}`,
  );
  check(typeof author_id === "string" && isId(author_id), "author_id", "the id of an author");
  check(post_id === undefined, "post_id", `absent for ${String(action)}`);
  return { user, feedback: { ...given, author_id } as PageFeedback };
}

export interface RetractionBody {
  user: unknown;
  post_id: string;
  interaction_type: InteractionType;
}

/** Checks the body of `POST /api/events/retract`. Throws SyntaxError with the first wrong field and its rule. */
export function parseRetraction(body: unknown): RetractionBody {
  const { user, post_id, interaction_type } = (body ?? {}) as Record<string, unknown>;
  check(typeof post_id === "string" && isId(post_id), "post_id", "the id of a post");
  check(
    INTERACTION_TYPES.includes(interaction_type as InteractionType),
    "interaction_type",
    `one of ${INTERACTION_TYPES.join(", ")}`,
  );
  return { user, post_id: post_id as string, interaction_type: interaction_type as InteractionType };
}

/** Sends feedback to the service. If the service does not know the user, calls `registerUser` once and repeats it. */
export async function sendFeedback(
  sink: FeedbackSink,
  feedback: Feedback,
  registerUser: () => Promise<void>,
): Promise<void> {
  try {
    await sink.feedback(feedback);
  } catch (error) {
    if (!isProblem(error, "unknown_user")) throw error;
    await registerUser();
    await sink.feedback(feedback);
  }
}

/** Takes events back. Returns the number of removed events, which is 0 for an unknown user and for a deleted post. */
export async function retract(sink: RetractionSink, retraction: Retraction): Promise<number> {
  try {
    return (await sink.retract(retraction)).removed;
  } catch (error) {
    if (isProblem(error, "unknown_user") || isProblem(error, "unknown_post")) return 0;
    throw error;
  }
}

/** True if the service rejected the request with one of its final answers, so that a repetition is pointless. */
export function isFinalRejection(error: FeedServiceError): boolean {
  return !error.transient && [404, 409, 422].includes(error.status ?? 0) && error.code !== "unknown_user";
}

function isProblem(error: unknown, code: string): boolean {
  return error instanceof FeedServiceError && error.code === code;
}

function check(valid: boolean, field: string, rule: string): void {
  if (!valid) throw new SyntaxError(`${field} must be ${rule}`);
}
