import { setTimeout } from "node:timers/promises";
import type { FeedMode, FeedPage, RecommendationPage } from "@feed/client";
import {
  addSeqs,
  afterShowing,
  decodeFeedCursor,
  encodeFeedCursor,
  type FeedPosition,
  firstPosition,
  hasFullSets,
  mayFollow,
  type TimePosition,
} from "@/lib/feed/cursor";
import { type PostWithUser, whyOf } from "@/lib/feed/post";
import { MLServiceClient, ServiceCursorRejected } from "@/lib/services/ml-service";
import { fetchUnseenPage, logOrders } from "@/lib/services/shadow";
import {
  type EligiblePostsQuery,
  findEligiblePosts,
  findPostIds,
  findPosts,
  type PostWithSeq,
  shownPost,
} from "./post.repository";

/** The queries that read posts. The application uses PostgreSQL, tests use memory. */
export interface PostStore {
  findPosts(viewerId: string, postIds: readonly string[]): Promise<PostWithSeq[]>;
  findEligiblePosts(viewerId: string, query: EligiblePostsQuery): Promise<PostWithSeq[]>;
  findPostIds(seqs: ReadonlySet<number>, limit: number): Promise<string[]>;
}

export interface FeedPageRequest {
  userId: string;
  mode: FeedMode;
  /** The `nextCursor` or `rewindCursor` of an earlier page; null for the first page. */
  cursor: string | null;
  limit: number;
}

/** The first page of a list, for a reader who must not wait for the service. */
export interface FirstPage {
  page: FeedPage<PostWithUser>;
  /**
   * If `page` is a fallback although the service may still respond: the page of the service, or null when it returns
   * none within its time limit. It is another list, so `page` may have the same posts. Never rejects.
   */
  rankedPage: Promise<FeedPage<PostWithUser> | null> | null;
}

/** The service accepts at most this many `exclude_ids`. */
const MAX_EXCLUDED_IDS = 500;
/** If all posts of a page were deleted in the meantime, the next page is requested, at most this many times in all. */
const MAX_PAGES_REQUESTED = 3;
/** The time limit for all calls to the service that one page needs. */
const SERVICE_BUDGET_MS = 3000;

/** The position before all posts. */
const LATEST: TimePosition = { createdUs: Number.MAX_SAFE_INTEGER, seq: Number.MAX_SAFE_INTEGER };

interface FetchedPosts {
  posts: PostWithSeq[];
  source: FeedPage<PostWithUser>["source"];
  /** The position for the next page, before `posts` were shown. */
  position: FeedPosition;
  degraded: boolean;
  exhausted: boolean;
  requestId: string | null;
  modelVersion: string | null;
}

/**
 * Builds the pages of a feed. Posts come from the recommendation service, or from a random selection while it is
 * unavailable. A post never appears twice in one scroll, whichever of the two returned it.
 */
export class FeedRepository {
  constructor(
    private readonly mlClient: MLServiceClient = new MLServiceClient(),
    private readonly postStore: PostStore = { findPosts, findEligiblePosts, findPostIds },
  ) {}

  /**
   * The first posts of the user's ranked feed. Random posts, seen ones included, take their place when there is no
   * recommendation. Throws DatabaseUnavailable.
   */
  async fetchPersonalizedFeed(userId: string, limit: number = 50): Promise<{ posts: PostWithUser[]; source: string }> {
    const page = await this.fetchFeedPage({ userId, mode: "ranked", cursor: null, limit });
    if (page.posts.length > 0) return { posts: page.posts, source: page.source };

    const position: FeedPosition = { ...firstPosition("ranked"), includeSeen: true };
    const fallback = await this.fetchRandomPostsWithCounts(userId, position, limit);
    return { posts: fallback.posts.map(shownPost), source: fallback.source };
  }

  /** One page of the user's feed. Throws InvalidFeedCursor, and DatabaseUnavailable if no post can be read. */
  async fetchFeedPage(request: FeedPageRequest): Promise<FeedPage<PostWithUser>> {
    const { userId, cursor, limit } = request;
    const position = cursor === null ? firstPosition(request.mode) : decodeFeedCursor(userId, request.mode, cursor);

    const fetched =
      (await this.fetchRecommendedPosts(userId, position, limit)) ??
      (await this.fetchRandomPostsWithCounts(userId, position, limit));
    return pageOf(userId, position, fetched);
  }

  /**
   * The first page of a list after at most about `waitMs`, whatever the service needs. The call to the service goes on
   * to its own time limit. Throws DatabaseUnavailable.
   */
  async fetchFirstPage({ userId, mode, limit }: FeedPageRequest, waitMs: number): Promise<FirstPage> {
    const position = firstPosition(mode);
    const rankedPage = this.fetchRecommendedPosts(userId, position, limit).then(
      (fetched) => fetched && pageOf(userId, position, fetched),
    );
    const waited = new AbortController();
    const inTime = await Promise.race([
      rankedPage.finally(() => waited.abort()),
      setTimeout(Math.max(0, waitMs), "late" as const, { signal: waited.signal }).catch(() => "late" as const),
    ]);
    if (inTime !== null && inTime !== "late") return { page: inTime, rankedPage: null };

    const withoutErrors = rankedPage.catch(() => null);
    const page = pageOf(userId, position, await this.fetchRandomPostsWithCounts(userId, position, limit));
    return { page, rankedPage: inTime === null ? null : withoutErrors };
  }

  /**
   * One page in the application's own order. A first page of the ranked feed is logged beside the service's order. The
   * call to the service runs meanwhile, and neither delays nor breaks the page. Throws as `fetchFeedPage` does.
   */
  async fetchShadowedPage(request: FeedPageRequest): Promise<FeedPage<PostWithUser>> {
    const { userId, mode, cursor, limit } = request;
    const position = cursor === null ? firstPosition(mode) : decodeFeedCursor(userId, mode, cursor);
    const isCompared = cursor === null && mode === "ranked";
    const recommended = isCompared ? fetchUnseenPage(this.mlClient, userId, limit) : null;

    const fetched = await this.fetchRandomPostsWithCounts(userId, position, limit);
    if (recommended) void logOrders(fetched.posts, recommended);
    return pageOf(userId, position, { ...fetched, source: "own_order", degraded: false });
  }

  /** The service's next posts; null if it returns none within the time limit. */
  private async fetchRecommendedPosts(
    userId: string,
    start: FeedPosition,
    limit: number,
  ): Promise<FetchedPosts | null> {
    const deadline = AbortSignal.timeout(SERVICE_BUDGET_MS);
    let position = start;
    for (let requested = 0; requested < MAX_PAGES_REQUESTED; requested += 1) {
      const result = await this.requestPage(userId, position, limit, deadline);
      if (result === null) return null;
      const { metadata } = result.page;
      const recommended = await this.fetchPostsByIds(userId, result.page);
      const posts = recommended.filter((post) => mayFollow(start, post));
      const exhausted = metadata.exhausted || metadata.next_cursor === null;
      position =
        metadata.next_cursor === null
          ? { ...result.position, excludeSeqs: addSeqs(result.position.excludeSeqs, recommended) }
          : { ...result.position, serviceCursor: metadata.next_cursor };
      if (metadata.time_ordered) position = { ...position, after: position.after ?? LATEST };
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

  /**
   * Requests one page. If the service rejects its cursor, requests a new list without the posts already shown; null in
   * the order of time, in which a new list cannot continue.
   */
  private async requestPage(
    userId: string,
    position: FeedPosition,
    limit: number,
    deadline: AbortSignal,
  ): Promise<{ page: RecommendationPage; position: FeedPosition } | null> {
    const { mode, includeSeen, serviceCursor, excludeSeqs } = position;
    const request = {
      user_id: userId,
      limit,
      cursor: serviceCursor,
      exclude_ids: await this.postStore.findPostIds(excludeSeqs, MAX_EXCLUDED_IDS),
      context: { mode, exclude_seen: !includeSeen },
    };
    try {
      const page = await this.mlClient.getRecommendationPage(request, { signal: deadline });
      return page && { page, position };
    } catch (error) {
      if (!(error instanceof ServiceCursorRejected) || serviceCursor === null) throw error;
      if (position.after !== null) return null;
      const restarted = { ...position, serviceCursor: null, excludeSeqs: position.shownSeqs };
      return this.requestPage(userId, restarted, limit, deadline);
    }
  }

  private async fetchPostsByIds(userId: string, page: RecommendationPage): Promise<PostWithSeq[]> {
    const recommendations = new Map(page.recommendations.map((item) => [item.post_id, item]));
    const posts = await this.postStore.findPosts(userId, [...recommendations.keys()]);
    return posts.map((post) => {
      const recommendation = recommendations.get(post.id);
      return recommendation ? { ...post, why: whyOf(recommendation) } : post;
    });
  }

  /**
   * The fallback: eligible posts that this scroll has not shown, in order of time once the cursor has no room for more.
   * The query leaves out hidden and deleted posts.
   */
  private async fetchRandomPostsWithCounts(
    userId: string,
    position: FeedPosition,
    limit: number,
  ): Promise<FetchedPosts> {
    const after = position.after ?? (hasFullSets(position) ? LATEST : null);
    const posts = await this.postStore.findEligiblePosts(userId, {
      mode: after !== null && position.mode === "ranked" ? "newest" : position.mode,
      limit,
      excludeSeqs: position.shownSeqs,
      includeSeen: position.includeSeen,
      after,
    });
    const excludeSeqs = after === null ? addSeqs(position.excludeSeqs, posts) : position.excludeSeqs;
    return {
      posts,
      source: "random_fallback",
      position: { ...position, after, excludeSeqs },
      degraded: true,
      exhausted: posts.length === 0,
      requestId: null,
      modelVersion: null,
    };
  }
}

/** The page that starts at a position, with the cursors that continue it. */
function pageOf(userId: string, position: FeedPosition, fetched: FetchedPosts): FeedPage<PostWithUser> {
  const next = afterShowing(fetched.position, fetched.posts);
  const isLong = next.after !== null; // the cursor does not have all posts that a rewound scroll must not repeat
  const canRewind = fetched.exhausted && !position.includeSeen && next.shownSeqs.size > 0 && !isLong;
  return {
    posts: fetched.posts.map(shownPost),
    source: fetched.source,
    nextCursor: fetched.exhausted ? null : encodeFeedCursor(userId, next),
    degraded: fetched.degraded,
    exhausted: fetched.exhausted,
    rewindCursor: canRewind ? encodeFeedCursor(userId, { ...next, includeSeen: true }) : null,
    mode: position.mode,
    requestId: fetched.requestId,
    modelVersion: fetched.modelVersion,
  };
}
