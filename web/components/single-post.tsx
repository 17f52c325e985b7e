"use client";

import type { PostWithUser } from "@/lib/feed/post";
import { useAnnouncer } from "./announcer";
import { PostCard } from "./post-card";

/** The content of a page with a single post. */
export function SinglePost({ post }: { post: PostWithUser }) {
  const { announce, announcer } = useAnnouncer();
  return (
    <div className="feed-column">
      <PostCard post={post} requestId={null} single announce={announce} />
      {announcer}
    </div>
  );
}
