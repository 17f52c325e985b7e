import assert from "node:assert/strict";
import { FeedPageError } from "@feed/client";
import { type Feed, type FeedPage, FeedPageError as FeedPageErrorOfHook, type FeedSource } from "@feed/client/react";
import { it } from "vitest";

it("the react entry exports the types of a page, so that callers of useFeed need no second import", () => {
  interface Post {
    id: string;
  }
  const sourceOf = (feed: Feed<Post>): FeedSource | undefined => feed.lastPage?.source;
  const page: FeedPage<Post> = {
    posts: [{ id: "post-1" }],
    source: "ml_recommendations",
    nextCursor: null,
    degraded: false,
    exhausted: true,
    rewindCursor: null,
    mode: "ranked",
    requestId: null,
    modelVersion: null,
  };

  assert.equal(sourceOf({ lastPage: page } as unknown as Feed<Post>), "ml_recommendations");
  assert.equal(FeedPageErrorOfHook, FeedPageError);
});
