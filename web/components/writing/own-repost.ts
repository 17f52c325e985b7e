import type { PostWithUser } from "@/lib/feed/post";
import type { WriteStates } from "./write";
import { useWriteStates } from "./writes-provider";

/** The user's repost of a post. */
export interface OwnRepost {
  /** The id of the repost that the server has confirmed; null without one. */
  id: string | null;
  /** The id of one that is on its way, or was rejected; null without one. */
  unsentId: string | null;
  /** Whether one was taken back on this page. */
  isRemoved: boolean;
}

export function useOwnRepost(post: PostWithUser): OwnRepost {
  const id = useWriteStates((states) => confirmedRepost(states, post));
  const unsentId = useWriteStates((states) => findRepost(states, post.id, false));
  const isRemoved = useWriteStates(
    (states) => post.ownRepostId !== undefined && states[post.ownRepostId]?.post === null && id === null,
  );
  return { id, unsentId, isRemoved };
}

function confirmedRepost(states: WriteStates, post: PostWithUser): string | null {
  const id = findRepost(states, post.id, true) ?? post.ownRepostId;
  return id === undefined || states[id]?.post === null ? null : id;
}

function findRepost(states: WriteStates, postId: string, isSent: boolean): string | null {
  const found = Object.values(states).find(({ post, sent }) => post?.repost_of === postId && sent === isSent);
  return found?.id ?? null;
}
