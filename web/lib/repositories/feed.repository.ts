import type { FeedMode, FeedPage, RecommendationPage } from "@feed/client";
import { decodeFeedCursor, encodeFeedCursor, type FeedPosition, startOf } from "@/lib/feed/cursor";
import type { PostWithUser } from "@/lib/feed/post";
import { MLServiceClient, RefusedCursor } from "@/lib/services/ml-service";
import { type Choice, choosePosts, findPostIds, findPosts, type NumberedPost } from "./post.repository";

/** Where posts come from; PostgreSQL in the application. */
export interface PostSource {
  findPosts(viewer: string, postIds: readonly string[]): Promise<NumberedPost[]>;
  choosePosts(viewer: string, mode: FeedMode, choice: Choice): Promise<NumberedPost[]>;
  findPostIds(numbers: ReadonlySet<number>, limit: number): Promise<string[]>;
}

export interface FeedRequest {
  userId: string;
  mode: FeedMode;
  cursor: string | null;
  limit: number;
}

/** The service takes at most this many `exclude_ids`. */
const MAX_EXCLUDED = 500;
/** A page may come back empty because its posts vanished meanwhile; the next one is asked for, but not for ever. */
const MAX_ATTEMPTS = 3;
/** For all questions to the service that one page needs. */
const SERVICE_BUDGET_MS = 3000;

interface Found {
  posts: NumberedPost[];
  source: FeedPage<PostWithUser>["source"];
  /** Where the service and the fallback go on; `shown` is still that of the page before. */
  position: FeedPosition;
  degraded: boolean;
  exhausted: boolean;
  requestId: string | null;
  modelVersion: string | null;
}

/** Builds the pages of a scroll: from the service while it answers, else from a random shuffle; never a post twice. */
export class FeedRepository {
  constructor(
    private readonly mlClient: MLServiceClient = new MLServiceClient(),
    private readonly source: PostSource = { findPosts, choosePosts, findPostIds },
  ) {}

  /** The next page. Raises InvalidFeedCursor, and DatabaseUnavailable when no posts can be read. */
  async fetchPersonalizedFeed(request: FeedRequest): Promise<FeedPage<PostWithUser>> {
    const { userId, cursor, limit } = request;
    const position = cursor === null ? startOf(request.mode) : decodeFeedCursor(userId, request.mode, cursor);

    const found =
      (await this.fetchRecommendedPosts(userId, position, limit)) ??
      (await this.fetchRandomPostsWithCounts(userId, position, limit));

    const next = { ...found.position, shown: plus(position.shown, found.posts) };
    const rewindable = found.exhausted && !position.rewound && next.shown.size > 0;
    return {
      posts: found.posts.map(({ seq: _seq, ...post }) => post),
      source: found.source,
      nextCursor: found.exhausted ? null : encodeFeedCursor(userId, next),
      degraded: found.degraded,
      exhausted: found.exhausted,
      rewindCursor: rewindable ? encodeFeedCursor(userId, { ...next, rewound: true }) : null,
      mode: position.mode,
      requestId: found.requestId,
      modelVersion: found.modelVersion,
    };
  }

  /** The service's next posts, or null when it has no answer in time. */
  private async fetchRecommendedPosts(userId: string, start: FeedPosition, limit: number): Promise<Found | null> {
    const deadline = AbortSignal.timeout(SERVICE_BUDGET_MS);
    let position = start;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const answer = await this.ask(userId, position, limit, deadline);
      if (answer === null) return null;
      const { metadata } = answer.page;
      const listed = await this.fetchPostsByIds(userId, answer.page);
      const posts = listed.filter((post) => !start.shown.has(post.seq));
      const exhausted = metadata.exhausted || metadata.next_cursor === null;
      position =
        metadata.next_cursor === null
          ? { ...answer.position, unknownToService: plus(answer.position.unknownToService, listed) }
          : { ...answer.position, service: metadata.next_cursor };
      if (posts.length > 0 || exhausted) {
        return {
          posts,
          source: "ml_recommendations",
          position,
          degraded: metadata.degraded,
          exhausted,
          requestId: metadata.request_id ?? null,
          modelVersion: metadata.model_version ?? null,
        };
      }
    }
    return null;
  }

  /** One question to the service; where it refuses the cursor, for a new list without what was shown. */
  private async ask(
    userId: string,
    position: FeedPosition,
    limit: number,
    deadline: AbortSignal,
  ): Promise<{ page: RecommendationPage; position: FeedPosition } | null> {
    const { mode, rewound, service, unknownToService } = position;
    try {
      const page = await this.mlClient.getRecommendations(userId, limit, {
        cursor: service,
        exclude_ids: await this.source.findPostIds(unknownToService, MAX_EXCLUDED),
        context: { mode, exclude_seen: !rewound, explain: true },
        signal: deadline,
      });
      return page && { page, position };
    } catch (error) {
      if (!(error instanceof RefusedCursor) || service === null) throw error;
      return this.ask(userId, { ...position, service: null, unknownToService: position.shown }, limit, deadline);
    }
  }

  private async fetchPostsByIds(userId: string, page: RecommendationPage): Promise<NumberedPost[]> {
    const chosen = new Map(page.recommendations.map((item) => [item.post_id, item]));
    const posts = await this.source.findPosts(userId, [...chosen.keys()]);
    return posts.map((post) => {
      const item = chosen.get(post.id);
      if (!item) return post;
      const { post_id: _id, external_id: _external, score, reason, ...evidence } = item;
      return { ...post, why: { reason, score, evidence } };
    });
  }

  /** The fallback: posts that this scroll has not shown, hidden and deleted ones left out by the query. */
  private async fetchRandomPostsWithCounts(userId: string, position: FeedPosition, limit: number): Promise<Found> {
    const posts = await this.source.choosePosts(userId, position.mode, {
      limit,
      without: position.shown,
      metAllowed: position.rewound,
    });
    return {
      posts,
      source: "random_fallback",
      position: { ...position, unknownToService: plus(position.unknownToService, posts) },
      degraded: true,
      exhausted: posts.length === 0,
      requestId: null,
      modelVersion: null,
    };
  }
}

function plus(numbers: ReadonlySet<number>, posts: readonly NumberedPost[]): ReadonlySet<number> {
  return new Set([...numbers, ...posts.map((post) => post.seq)]);
}
