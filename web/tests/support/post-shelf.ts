import type { FeedMode } from "@feed/client";
import type { PostSource } from "@/lib/repositories/feed.repository";
import type { Choice, NumberedPost } from "@/lib/repositories/post.repository";

/** Posts in memory; stands in for PostgreSQL where only the scroll matters. */
export class PostShelf implements PostSource {
  readonly posts: NumberedPost[];
  readonly gone = new Set<string>();

  constructor(count: number) {
    this.posts = Array.from({ length: count }, (_, place) => makePost(place + 1));
  }

  get ids(): string[] {
    return this.posts.map((post) => post.id);
  }

  async findPosts(_viewer: string, postIds: readonly string[]): Promise<NumberedPost[]> {
    return postIds.flatMap((id) => this.visible.find((post) => post.id === id) ?? []);
  }

  async choosePosts(_viewer: string, _mode: FeedMode, choice: Choice): Promise<NumberedPost[]> {
    return this.visible
      .filter((post) => !choice.without.has(post.seq))
      .reverse()
      .slice(0, choice.limit);
  }

  async findPostIds(numbers: ReadonlySet<number>, limit: number): Promise<string[]> {
    return this.posts
      .filter((post) => numbers.has(post.seq))
      .map((post) => post.id)
      .slice(0, limit);
  }

  private get visible(): NumberedPost[] {
    return this.posts.filter((post) => !this.gone.has(post.id));
  }
}

function makePost(seq: number): NumberedPost {
  return {
    id: `${seq.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`,
    seq,
    externalId: `post-${seq}`,
    content: `Post ${seq}`,
    tags: [],
    createdAt: "2026-03-01T12:00:00.000Z",
    author: null,
    likeCount: 0,
    commentCount: 0,
    shareCount: 0,
    liked: false,
    shared: false,
    why: null,
  };
}
