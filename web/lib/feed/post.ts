/** A post as the page shows it. */
export interface PostWithUser {
  id: string;
  externalId: string;
  content: string | null;
  tags: string[];
  createdAt: string;
  author: { id: string; name: string; followerCount: number } | null;
  likeCount: number;
  commentCount: number;
  shareCount: number;
  /** Whether the viewer has liked or shared it. */
  liked: boolean;
  shared: boolean;
  /** Why it is here; null where nobody chose it for the viewer. */
  why: { reason: string; evidence: Record<string, unknown>; score: number } | null;
}
