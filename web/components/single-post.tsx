"use client";

import type { PostWithUser } from "@/lib/feed/post";
import { useAnnouncer } from "./announcer";
import { PostEntry } from "./post-entry";

/** The content of a page with a single post. `requestId` is that of the feed page with the link to it, if any. */
export function SinglePost({ post, requestId }: { post: PostWithUser; requestId: string | null }) {
  const { announce, announcer } = useAnnouncer();
  return (
    <div className="feed-column border-y border-line bg-raised md:rounded-card md:border-x">
      <PostEntry post={post} requestId={requestId} single announce={announce} />
      {announcer}
    </div>
  );
}
