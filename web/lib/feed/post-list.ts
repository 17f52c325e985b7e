import { createHash } from "node:crypto";
import { z } from "zod";
import { decodeTimePosition, encodeTimePosition, InvalidFeedCursor, type TimePosition } from "@/lib/feed/cursor";
import type { PostWithUser } from "@/lib/feed/post";

const LISTS = ["author", "tag", "search", "seen", "likes", "replies", "top-replies"] as const;
const MAX_NAME_LENGTH = 200;

/**
 * A list of posts, newest first: those of an author, with a tag, that match a search, that the user has seen or liked,
 * and the replies to a post. Of `top-replies`, those with the most likes come first.
 */
export const postListName = z.object({
  list: z.enum(LISTS, `must be one of ${LISTS.join(", ")}`),
  /** The id of the author, the tag, the search, or the id of the post; "" for the lists of the user. */
  of: z
    .string()
    .max(MAX_NAME_LENGTH, `must have at most ${MAX_NAME_LENGTH} characters`)
    .refine((text) => !text.includes("\0"), "must not have a null character")
    .default(""),
});
export type PostListName = z.output<typeof postListName>;

/** A post of a list. */
export interface ListedPost extends PostWithUser {
  /** The first replies to a reply; absent without any. */
  replies?: { posts: PostWithUser[]; hasMore: boolean };
}

/** One page of a list. `/api/posts` returns it as JSON. */
export interface PostListPage {
  /** At most as many as requested; fewer, or none, if the viewer may not see many posts of this part of the list. */
  posts: ListedPost[];
  /** Where the next page begins; null at the end of the list. */
  nextCursor: string | null;
  /** When the page was read. */
  readAt: string;
}

/** Encodes the place after which the next page of the user's list begins as opaque text. It holds nothing secret. */
export function encodeListCursor(userId: string, name: PostListName, position: TimePosition): string {
  return `${fingerprint(userId, name)}.${encodeTimePosition(position)}`;
}

/** Decodes a cursor of this user and list; throws InvalidFeedCursor for any other text. */
export function decodeListCursor(userId: string, name: PostListName, cursor: string): TimePosition {
  const [binding, ...rest] = cursor.split(".");
  if (binding !== fingerprint(userId, name)) {
    throw new InvalidFeedCursor("cursor: belongs to another list; request the first page without a cursor");
  }
  return decodeTimePosition(rest.join("."));
}

/** Ten characters that bind a cursor to its user and list. */
function fingerprint(userId: string, { list, of }: PostListName): string {
  return createHash("sha256")
    .update(JSON.stringify([userId, list, of]))
    .digest("base64url")
    .slice(0, 10);
}
