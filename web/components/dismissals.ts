import type { FeedbackTarget } from "@feed/client";
import type { PostWithUser } from "@/lib/feed/post";

/** A post that the user has removed from this page, with the control that removed it, and others with it. */
export interface Dismissal {
  /** The id of the post; `profile:` and the id of the author for an action on a profile. */
  id: string;
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

function targetId(target: FeedbackTarget): string {
  if ("post_id" in target) return target.post_id;
  if ("author_id" in target) return target.author_id;
  return "tag" in target ? plainTag(target.tag) : target.word;
}

/** True if the post has a place in the list: as itself, or as a line with "Undo". */
export function isListed(post: PostWithUser, dismissals: Dismissals): boolean {
  const own = dismissals[post.id];
  if (own) return own.undoable;
  return Object.values(dismissals).every(({ target }) => !removesOthers(target, post));
}

/** Whether a control of an author or a tag removes the post. */
function removesOthers(target: FeedbackTarget, { author, tags }: PostWithUser): boolean {
  if ("author_id" in target) return author?.id === target.author_id;
  return "tag" in target && tags.some((tag) => plainTag(tag) === plainTag(target.tag));
}

/** The form that all spellings of a tag share. */
function plainTag(tag: string): string {
  return tag.replace(/^#+/, "").toLowerCase();
}
