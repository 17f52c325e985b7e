import type { AuthorFeedbackAction, FeedbackTarget, PostFeedbackAction } from "@feed/client";
import type { PostWithUser } from "@/lib/feed/post";

/** An action in the menu of a post. */
export type DismissalAction = PostFeedbackAction | AuthorFeedbackAction;

/** A post that the user has removed from this page, with the action that removed it. */
export interface Dismissal {
  postId: string;
  /** The author whose other posts are removed as well; null if the action concerns the post alone. */
  hiddenAuthorId: string | null;
  target: FeedbackTarget;
  /** What the page shows in place of the post. */
  text: string;
  /** True while the page shows `text` and an "Undo" button in place of the post. */
  undoable: boolean;
}

/** The dismissals of this page by post. */
export type Dismissals = Readonly<Record<string, Dismissal>>;

/** True if the post has a place in the list: as itself, or as a line with "Undo". */
export function isListed(post: PostWithUser, dismissals: Dismissals): boolean {
  const own = dismissals[post.id];
  if (own) return own.undoable;
  const authorId = post.author?.id;
  return authorId === undefined || Object.values(dismissals).every(({ hiddenAuthorId }) => hiddenAuthorId !== authorId);
}
