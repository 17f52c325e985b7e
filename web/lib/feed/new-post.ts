import { z } from "zod";
import { uuid } from "@/lib/platform/body";
import { isRequestId } from "@/lib/platform/ids";
import { tokensOf } from "./post-text";
import { lengthOf, MAX_TEXT_LENGTH } from "./text-length";

const MAX_TAGS = 10;

const text = z
  .string("must be a string")
  .transform((given) => given.trim())
  .refine((given) => lengthOf(given) <= MAX_TEXT_LENGTH, `must have at most ${MAX_TEXT_LENGTH} characters`)
  // PostgreSQL stores neither NUL nor half a surrogate pair
  .refine((given) => !given.includes("\0") && !/\p{Surrogate}/u.test(given), "must be text without NUL");

/**
 * The body of `POST /api/posts`. The browser chooses the id, so that a repeated call stores one post. At most one of the
 * three other posts is given; only a repost has no text.
 */
export const newPostBody = z
  .object(
    {
      user: z.string("must be a string").optional(),
      id: uuid.transform((id) => id.toLowerCase()),
      text: text.default(""),
      reply_to: uuid.nullish(),
      quote_of: uuid.nullish(),
      repost_of: uuid.nullish(),
      request_id: z.string("must be a string").refine(isRequestId, "must be a request id").nullish(),
    },
    "must be an object",
  )
  .refine(
    ({ reply_to, quote_of, repost_of }) => [reply_to, quote_of, repost_of].filter((id) => id != null).length <= 1,
    "must name at most one of reply_to, quote_of and repost_of",
  )
  .refine(({ text: given, repost_of }) => (given === "") === (repost_of != null), {
    path: ["text"],
    error: "must have 1 character at least, and none for a repost",
  });

/** A post that a user writes. */
export type NewPost = Omit<z.output<typeof newPostBody>, "user">;

/** The body of `DELETE /api/posts/ID`. */
export const deletePostBody = z.object({ user: z.string("must be a string").optional() }, "must be an object");

/** The hashtags of a text in lower case, each once, at most ten. */
export function tagsOf(postText: string): string[] {
  const hashtags = tokensOf(postText).filter(({ kind }) => kind === "tag");
  const tags = hashtags.map((token) => token.text.slice(1).toLowerCase());
  return [...new Set(tags)].slice(0, MAX_TAGS);
}
