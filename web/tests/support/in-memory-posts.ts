import type { PostStore } from "@/lib/repositories/feed.repository";
import type { EligiblePostsQuery, PostWithSeq } from "@/lib/repositories/post.repository";

/** Posts of one user's feed in memory, in place of PostgreSQL. */
export class InMemoryPosts implements PostStore {
  readonly posts: PostWithSeq[];
  readonly deletedIds = new Set<string>();
  readonly seenIds = new Set<string>();

  /** With `gap`, the numbers of the posts differ by about so much. */
  constructor(count: number, gap = 1) {
    this.posts = Array.from({ length: count }, (_, index) => makePost((index + 1) * gap + ((index * 7919) % gap)));
  }

  get ids(): string[] {
    return this.posts.map((post) => post.id);
  }

  async findPosts(_viewerId: string, postIds: readonly string[]): Promise<PostWithSeq[]> {
    const visible = new Map(this.visiblePosts.map((post) => [post.id, post]));
    return postIds.flatMap((id) => visible.get(id) ?? []);
  }

  async findEligiblePosts(_viewerId: string, query: EligiblePostsQuery): Promise<PostWithSeq[]> {
    return this.visiblePosts
      .filter((post) => !query.excludeSeqs.has(post.seq))
      .filter((post) => query.includeSeen || !this.seenIds.has(post.id))
      .filter((post) => !query.after || post.createdUs < query.after.createdUs)
      .reverse()
      .slice(0, query.limit);
  }

  async findPostIds(seqs: ReadonlySet<number>, limit: number): Promise<string[]> {
    return this.posts
      .filter((post) => seqs.has(post.seq))
      .map((post) => post.id)
      .slice(0, limit);
  }

  private get visiblePosts(): PostWithSeq[] {
    return this.posts.filter((post) => !this.deletedIds.has(post.id));
  }
}

function makePost(seq: number): PostWithSeq {
  return {
    id: `${seq.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`,
    seq,
    createdUs: Date.parse("2026-03-01T12:00:00Z") * 1000 + seq,
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
