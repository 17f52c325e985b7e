import type { EvidenceKind, Recommendation } from "@feed/client";

/** A post as the page shows it, with its author. `/api/feeds` returns it as JSON. */
export interface PostWithUser {
  id: string;
  /** The id that the post was given. A page of a feed has it only if the text is missing. */
  externalId?: string;
  content: string | null;
  tags: string[];
  createdAt: string;
  author: PostAuthor | null;
  likeCount: number;
  commentCount: number;
  shareCount: number;
  /** Whether the viewer has liked the post. */
  liked: boolean;
  /** Whether the viewer has shared the post. */
  shared: boolean;
  /** The number of the viewer's comments and replies. Absent without any. */
  ownComments?: number;
  /** The id of the viewer's repost. Absent without one. */
  ownRepostId?: string;
  /** The post that this one quotes or reposts. Absent from other posts. */
  original?: OriginalPost;
  /** The pictures of the post, in order. Absent without any. */
  media?: PostPicture[];
  /** Why the post was recommended; null if the service did not recommend it. */
  why: PostWhy | null;
}

/** A picture of a post, a file of the application's own origin. */
export interface PostPicture {
  url: string;
  /** The size in pixels. The page keeps the room for the picture before it arrives. */
  width: number;
  height: number;
  alt: string;
}

/** A post that another one quotes or reposts. */
export interface OriginalPost {
  kind: "quote" | "repost";
  /** Null if it is deleted, or the viewer may not see it. */
  post: PostExcerpt | null;
}

/** A post with the beginning of its text. */
export interface PostExcerpt {
  id: string;
  author: Pick<PostAuthor, "id" | "name"> | null;
  text: string;
  createdAt: string;
}

export interface PostAuthor {
  id: string;
  name: string;
  /** Whether the viewer follows the author. */
  followed: boolean;
}

/** One true fact about the post and the viewer. Without one: whether the post explores, or is just recommended. */
export interface PostWhy {
  kind: EvidenceKind | "exploration" | "recommended";
  /** People, at least so many. */
  count?: number;
  tag?: string;
}

/** The part of a recommendation that the page shows. A named user is always the author, whom the post has. */
export function whyOf({ reason, evidence }: Pick<Recommendation, "reason" | "evidence">): PostWhy {
  if (!evidence) return { kind: reason === "exploration" ? "exploration" : "recommended" };
  const { kind, count, tag } = evidence;
  return { kind, ...(count != null && { count }), ...(tag != null && { tag }) };
}

/** What the score of a post is made of, as the service returns it with `explain`. */
export type PostExplanation = Record<string, unknown>;
