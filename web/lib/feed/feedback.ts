import {
  type Feedback,
  type FeedbackAction,
  FeedServiceError,
  type Retraction,
  type RetractResult,
} from "@feed/client";
import { z } from "zod";
import { idOf, uuid } from "@/lib/platform/body";
import { interactionType } from "./events";
import { mutedTerm } from "./settings";

const POST_ACTIONS = ["hide_post", "not_interested", "report_post"] as const satisfies readonly FeedbackAction[];
const AUTHOR_ACTIONS = ["mute_author", "block_author"] as const satisfies readonly FeedbackAction[];

/** The destination of feedback. The application uses the recommendation service. */
export interface FeedbackSink {
  feedback(feedback: Feedback): Promise<unknown>;
}

/** The destination of retractions. The application uses the recommendation service. */
export interface RetractionSink {
  retract(retraction: Retraction): Promise<RetractResult>;
}

const common = {
  user: z.string("must be a string").optional(),
  event_id: uuid,
  undo: z.boolean("must be true or false").default(false),
};
const actions = [...POST_ACTIONS, ...AUTHOR_ACTIONS, "mute_tag"];

/** The body of `POST /api/feedback`. The server adds the user's id from the session. */
export const feedbackBody = z.discriminatedUnion(
  "action",
  [
    z.object({
      ...common,
      action: z.enum(POST_ACTIONS),
      post_id: idOf("a post"),
      author_id: z.undefined("must be absent for an action on a post").optional(),
    }),
    z.object({
      ...common,
      action: z.enum(AUTHOR_ACTIONS),
      author_id: idOf("an author"),
      post_id: z.undefined("must be absent for an action on an author").optional(),
    }),
    z.object({ ...common, action: z.literal("mute_tag"), tag: mutedTerm }),
  ],
  { error: ({ code }) => (code === "invalid_union" ? `must be one of ${actions.join(", ")}` : "must be an object") },
);

/** The body of `POST /api/events/retract`. */
export const retractionBody = z.object(
  { user: z.string("must be a string").optional(), post_id: idOf("a post"), interaction_type: interactionType },
  "must be an object",
);

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
