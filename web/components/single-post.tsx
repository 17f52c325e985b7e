"use client";

import type { PostWithUser } from "@/lib/feed/post";
import { useAnnouncer } from "./announcer";
import { PostEntry } from "./post-entry";

/** The content of a page with a single post. */
export function SinglePost({ post }: { post: PostWithUser }) {
  const { announce, announcer } = useAnnouncer();
  return (
    <div className="feed-column">
      <PostEntry post={post} requestId={null} single announce={announce} />
      {announcer}
    </div>
  );
}
