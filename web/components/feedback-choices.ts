import type { AuthorFeedbackAction, PostFeedbackAction } from "@feed/client";
import type { PostAuthor, PostWithUser } from "@/lib/feed/post";
import type { Dismissal } from "./dismissals";

/** The menu has an entry for each of the first tags of a post. */
const MAX_TAGS = 3;

export interface FeedbackChoice {
  label: string;
  /** What the choice causes. */
  dismissal: Dismissal;
}

/** The entries of a post's menu. There are none for the user's own posts, and none on authors if there is no author. */
export function feedbackChoices({ id, author, tags }: PostWithUser, user: string): FeedbackChoice[] {
  if (author?.id === user) return [];
  const onAuthor: FeedbackChoice[] = author
    ? [
        { label: `Mute @${author.name}`, dismissal: { ...dismissalOfAuthor(author, "mute_author"), id } },
        { label: `Block @${author.name}`, dismissal: { ...dismissalOfAuthor(author, "block_author"), id } },
      ]
    : [];
  return [
    { label: "Hide this post", dismissal: dismissalOfPost(id, "hide_post") },
    { label: "Not interested", dismissal: dismissalOfPost(id, "not_interested") },
    ...onAuthor,
    ...tags.slice(0, MAX_TAGS).map((tag) => ({ label: `Mute #${tag}`, dismissal: dismissalOfTag(id, tag) })),
    { label: "Report post", dismissal: dismissalOfPost(id, "report_post") },
  ];
}

const TEXTS: Record<PostFeedbackAction, string> = {
  hide_post: "Post hidden.",
  not_interested: "Post hidden. You will see fewer posts like this.",
  report_post: "Post reported and hidden.",
};

function dismissalOfPost(id: string, action: PostFeedbackAction): Dismissal {
  return { id, target: { action, post_id: id }, text: TEXTS[action], undoable: true };
}

/** The dismissal that muting a tag causes in the place of the post in whose menu it was muted. */
function dismissalOfTag(id: string, tag: string): Dismissal {
  const text = `You muted #${tag}. You won't see posts with this tag.`;
  return { id, target: { action: "mute_tag", tag }, text, undoable: true };
}

/** The dismissal that muting or blocking an author causes on the page of this author. */
export function dismissalOfAuthor({ id, name }: AuthorName, action: AuthorFeedbackAction): Dismissal {
  const text =
    action === "mute_author"
      ? `You muted @${name}. You won't see their posts.`
      : `You blocked @${name}. You won't see each other's posts.`;
  return { id: `profile:${id}`, target: { action, author_id: id }, text, undoable: true };
}

type AuthorName = Pick<PostAuthor, "id" | "name">;
