import { FeedServiceError } from "@feed/client";
import { isId } from "@/lib/platform/ids";

/** The destination of follows. The application uses the recommendation service. */
export interface FollowSink {
  setFollow(userId: string, followeeId: string, follows: boolean): Promise<void>;
}

export interface FollowBody {
  user: unknown;
  author_id: string;
  follows: boolean;
}

/** Checks the body of `POST /api/follows`. Throws SyntaxError with the first wrong field and its rule. */
export function parseFollow(body: unknown): FollowBody {
  const { user, author_id, follows } = (body ?? {}) as Record<string, unknown>;
  if (typeof author_id !== "string" || !isId(author_id)) throw new SyntaxError("author_id must be the id of an author");
  if (typeof follows !== "boolean") throw new SyntaxError("follows must be true or false");
  return { user, author_id, follows };
}

/** Sends a follow to the service. If the service does not know a user, calls `registerUser` once and repeats it. */
export async function sendFollow(
  sink: FollowSink,
  userId: string,
  { author_id, follows }: FollowBody,
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
