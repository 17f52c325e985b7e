import { FeedServiceError } from "@feed/client";
import { z } from "zod";
import { idOf } from "@/lib/platform/body";

/** The destination of follows. The application uses the recommendation service. */
export interface FollowSink {
  setFollow(userId: string, followeeId: string, follows: boolean): Promise<void>;
}

/** The body of `POST /api/follows`. */
export const followBody = z.object(
  {
    user: z.string("must be a string").optional(),
    author_id: idOf("an author"),
    follows: z.boolean("must be true or false"),
  },
  "must be an object",
);

/** Sends a follow to the service. If the service does not know a user, calls `registerUser` once and repeats it. */
export async function sendFollow(
  sink: FollowSink,
  userId: string,
  { author_id, follows }: z.output<typeof followBody>,
  registerUser: () => Promise<void>,
): Promise<void> {
  try {
    await sink.setFollow(userId, author_id, follows);
  } catch (error) {
    if (!(error instanceof FeedServiceError) || error.code !== "unknown_user") throw error;
    await registerUser();
    await sink.setFollow(userId, author_id, follows);
  }
}
