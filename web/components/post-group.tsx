"use client";

import type { PostWithUser } from "@/lib/feed/post";
import { useAnnouncer } from "./announcer";
import { isListed } from "./dismissals";
import { useDismissals } from "./feedback-provider";
import { PostEntry } from "./post-entry";

/** A few posts that are no list of their own. */
export function PostGroup({ posts }: { posts: PostWithUser[] }) {
  const { announce, announcer } = useAnnouncer();
  const dismissals = useDismissals();
  return (
    <>
      {posts
        .filter((post) => isListed(post, dismissals))
        .map((post) => (
          <PostEntry key={post.id} post={post} requestId={null} announce={announce} />
        ))}
      {announcer}
    </>
  );
}
