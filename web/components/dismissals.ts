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

/** The dismissal that an action on a post causes. Throws if the action needs an author and the post has none. */
export function dismissalOf(post: PostWithUser, action: DismissalAction): Dismissal {
  if (action === "mute_author" || action === "block_author") {
    if (!post.author) throw new Error(`${action}: post ${post.id} has no author`);
    const { id, name } = post.author;
    const text =
      action === "mute_author"
        ? `You muted @${name}. You won't see their posts.`
        : `You blocked @${name}. You won't see each other's posts.`;
    return { postId: post.id, hiddenAuthorId: id, target: { action, author_id: id }, text, undoable: true };
  }
  const text = {
    hide_post: "Post hidden.",
    not_interested: "Post hidden. You will see fewer posts like this.",
    report_post: "Post reported and hidden.",
  }[action];
  return { postId: post.id, hiddenAuthorId: null, target: { action, post_id: post.id }, text, undoable: true };
}

/** True if the post has a place in the list: as itself, or as a line with "Undo". */
export function isListed(post: PostWithUser, dismissals: Dismissals): boolean {
  const own = dismissals[post.id];
  if (own) return own.undoable;
  const authorId = post.author?.id;
  return authorId === undefined || Object.values(dismissals).every(({ hiddenAuthorId }) => hiddenAuthorId !== authorId);
}
