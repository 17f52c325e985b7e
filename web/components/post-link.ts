import type { PostWithUser } from "@/lib/feed/post";

/** The path of the page of a post. Events on that page join the page of the feed with this id, if there is one. */
export function pathOf(post: PostWithUser, requestId: string | null = null): string {
  const path = `/post/${post.id}`;
  return requestId === null ? path : `${path}?${new URLSearchParams({ request_id: requestId })}`;
}
