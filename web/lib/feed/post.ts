/** A post as the page shows it, with its author. `/api/feeds` returns it as JSON. */
export interface PostWithUser {
  id: string;
  externalId: string;
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
  /** Why the post was recommended; null if the service did not recommend it. */
  why: PostExplanation | null;
}

export interface PostAuthor {
  id: string;
  name: string;
  followerCount: number;
  /** Whether the viewer follows the author. */
  followed: boolean;
}

/** The service's reason for a recommendation, and the numbers behind its score. */
export interface PostExplanation {
  reason: string;
  details: Record<string, unknown>;
  score: number;
}
