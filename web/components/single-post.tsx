"use client";

import type { PostWithUser } from "@/lib/feed/post";
import { useAnnouncer } from "./announcer";
import { PostEntry } from "./post-entry";

interface SinglePostProps {
  post: PostWithUser;
  /** The feed page with the link to this page, if any. */
  requestId: string | null;
  /** The posts above it in its thread; null where something is missing. */
  ancestors: (PostWithUser | null)[];
}

/** The post of a page, below the posts that it answers. */
export function SinglePost({ post, requestId, ancestors }: SinglePostProps) {
  const { announce, announcer } = useAnnouncer();
  return (
    <>
      {ancestors.map((ancestor, index) =>
        ancestor === null ? (
          <p
            // biome-ignore lint/suspicious/noArrayIndexKey: a gap has no other name, and gaps never change places
            key={index}
            className="border-b border-line bg-sunken px-gutter py-3 text-sm text-soft"
          >
            Earlier posts of this thread are not available.
          </p>
        ) : (
          <PostEntry key={ancestor.id} post={ancestor} requestId={null} announce={announce} />
        ),
      )}
      <PostEntry post={post} requestId={requestId} single announce={announce} />
      {announcer}
    </>
  );
}
