import type { AuthorFeedbackAction, FeedbackTarget, PostFeedbackAction } from "@feed/client";
import type { PostWithUser } from "@/lib/feed/post";

/** An action in the menu of a post. */
export type DismissalAction = PostFeedbackAction | AuthorFeedbackAction;

/** A post, or the posts of an author, that the user has removed from this page, with the action that removed it. */
export interface Dismissal {
  /** The id of the post; `profile:` and the id of the author for an action on a profile. */
  id: string;
  /** The author whose other posts are removed as well; null if the action concerns the post alone. */
  hiddenAuthorId: string | null;
  target: FeedbackTarget;
  /** What the page shows in place of the post. */
  text: string;
  /** True while the page shows `text` and an "Undo" button in place of the post. */
  undoable: boolean;
}

/** The dismissals of this page by id. */
export type Dismissals = Readonly<Record<string, Dismissal>>;

/** Whether both have the same effect, so that taking back one takes back the other. */
export function haveSameTarget(one: FeedbackTarget, other: FeedbackTarget): boolean {
  return one.action === other.action && targetId(one) === targetId(other);
}

function targetId(target: FeedbackTarget): string | null {
  if ("post_id" in target) return target.post_id;
  return "author_id" in target ? target.author_id : null;
}

/** True if the post has a place in the list: as itself, or as a line with "Undo". */
export function isListed(post: PostWithUser, dismissals: Dismissals): boolean {
  const own = dismissals[post.id];
  if (own) return own.undoable;
  const authorId = post.author?.id;
  return authorId === undefined || Object.values(dismissals).every(({ hiddenAuthorId }) => hiddenAuthorId !== authorId);
}
