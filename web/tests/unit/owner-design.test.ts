/** The calls of the design document. `npm run typecheck` checks their types, and these tests run them. */
import assert from "node:assert/strict";
import { FakeFeedService } from "@feed/client/testing";
import { describe, it } from "vitest";
import type { PostWithUser } from "@/lib/feed/post";
import { FeedRepository } from "@/lib/repositories/feed.repository";
import { MLServiceClient } from "@/lib/services/ml-service";
import { useFeedService } from "@/tests/support/fake-feed-service";
import { InMemoryPosts } from "@/tests/support/in-memory-posts";

/** The interface of the design document. */
interface Recommendation {
  post_id: string;
  score: number;
  reason: string;
}

/** The public methods of `MLServiceClient` in the design document. */
interface DesignedClient {
  getRecommendations(userId: string, limit?: number): Promise<Recommendation[] | null>;
  healthCheck(): Promise<boolean>;
}

/** The public method of `FeedRepository` in the design document. */
interface DesignedRepository {
  fetchPersonalizedFeed(userId: string, limit?: number): Promise<{ posts: PostWithUser[]; source: string }>;
}

describe("the calls of the design", () => {
  const posts = new InMemoryPosts(5);
  const service = new FakeFeedService(posts.ids);

  useFeedService(service);

  it("the recommendations of the design's client have a post id, a score and a reason", async () => {
    const mlClient: DesignedClient = new MLServiceClient();

    const recommendations = await mlClient.getRecommendations("ann", 3);

    const postIds = recommendations && recommendations.length > 0 ? recommendations.map((r) => r.post_id) : [];
    assert.deepEqual(postIds, posts.ids.slice(0, 3));
    assert.ok(recommendations?.[0]);
    const { post_id, score, reason } = recommendations[0];
    assert.deepEqual({ post_id, score, reason }, { post_id: posts.ids[0], score: 1, reason: "trending" });
    assert.equal(await mlClient.healthCheck(), true);
  });

  it("the feed of the design's repository has posts and their source", async () => {
    const repository: DesignedRepository = new FeedRepository(undefined, posts);

    const feed = await repository.fetchPersonalizedFeed("ann", 3);

    assert.deepEqual(Object.keys(feed).sort(), ["posts", "source"]);
    assert.deepEqual(
      feed.posts.map(({ id }) => id),
      posts.ids.slice(0, 3),
    );
    assert.equal(feed.source, "ml_recommendations");
  });

  it("the design's constructors take no arguments", () => {
    assert.ok(new MLServiceClient() satisfies DesignedClient);
    assert.ok(new FeedRepository() satisfies DesignedRepository);
  });
});
