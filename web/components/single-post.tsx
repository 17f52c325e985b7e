"use client";

import type { PostWithUser } from "@/lib/feed/post";
import { useAnnouncer } from "./announcer";
import { PostCard } from "./post-card";

/** A post on a page of its own, with its comments open. */
export function SinglePost({ post }: { post: PostWithUser }) {
  const { say, announcer } = useAnnouncer();
  return (
    <div className="feed-column">
      <PostCard post={post} requestId={null} alone say={say} />
      {announcer}
    </div>
  );
}
