import type { PostWithUser } from "@/lib/feed/post";
import type { DismissalAction } from "./dismissals";

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
