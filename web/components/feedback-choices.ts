import type { AuthorFeedbackAction } from "@feed/client";
import type { PostAuthor, PostWithUser } from "@/lib/feed/post";
import type { Dismissal, DismissalAction } from "./dismissals";

export interface FeedbackChoice {
  action: DismissalAction;
  label: string;
}

/** The entries of a post's menu. There are none for the user's own posts, and none on authors if there is no author. */
export function feedbackChoices(post: PostWithUser, user: string): FeedbackChoice[] {
  if (post.author?.id === user) return [];
  const onAuthor: FeedbackChoice[] = post.author
    ? [
        { action: "mute_author", label: `Mute @${post.author.name}` },
        { action: "block_author", label: `Block @${post.author.name}` },
      ]
    : [];
  return [
    { action: "hide_post", label: "Hide this post" },
    { action: "not_interested", label: "Not interested" },
    ...onAuthor,
    { action: "report_post", label: "Report post" },
  ];
}

/** The dismissal that an action on a post causes. Throws if the action needs an author and the post has none. */
export function dismissalOf(post: PostWithUser, action: DismissalAction): Dismissal {
  if (action === "mute_author" || action === "block_author") {
    if (!post.author) throw new Error(`${action}: post ${post.id} has no author`);
    return { ...dismissalOfAuthor(post.author, action), id: post.id };
  }
  const text = {
    hide_post: "Post hidden.",
    not_interested: "Post hidden. You will see fewer posts like this.",
    report_post: "Post reported and hidden.",
  }[action];
  return { id: post.id, hiddenAuthorId: null, target: { action, post_id: post.id }, text, undoable: true };
}

/** The dismissal that muting or blocking an author causes on the page of this author. */
export function dismissalOfAuthor({ id, name }: AuthorName, action: AuthorFeedbackAction): Dismissal {
  const text =
    action === "mute_author"
      ? `You muted @${name}. You won't see their posts.`
      : `You blocked @${name}. You won't see each other's posts.`;
  return {
    id: `profile:${id}`,
    hiddenAuthorId: id,
    target: { action, author_id: id },
    text,
    undoable: true,
  };
}

type AuthorName = Pick<PostAuthor, "id" | "name">;
