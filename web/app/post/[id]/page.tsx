import { notFound } from "next/navigation";
import { Suspense } from "react";
import { type ListPageProps, PostsOfList } from "@/app/list-page";
import { currentViewer } from "@/app/viewer";
import { BackToFeed } from "@/components/back-to-feed";
import { Notice } from "@/components/notice";
import { pathOf } from "@/components/post-link";
import { ReplyOrderLinks } from "@/components/reply-order-links";
import { SameUser } from "@/components/same-user";
import { SinglePost } from "@/components/single-post";
import type { PostWithUser } from "@/lib/feed/post";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isRequestId, isUuid } from "@/lib/platform/ids";
import { findPosts } from "@/lib/repositories/post.repository";
import { findAncestors } from "@/lib/repositories/thread.repository";
import { MoreLikeThis } from "./more-like-this";

export { generateMetadata } from "./metadata";

interface PostPageProps extends ListPageProps {
  params: Promise<{ id: string }>;
  searchParams: Promise<{
    request_id?: string | string[];
    cursor?: string | string[];
    replies?: string | string[];
  }>;
}

export default async function PostPage({ params, searchParams }: PostPageProps) {
  const id = (await params).id.toLowerCase();
  if (!isUuid(id)) notFound();
  const viewer = await currentViewer();
  const thread = await readThread(viewer.id, id);
  if (thread && !thread.post) notFound();
  return (
    <main id="main" className="mx-auto w-full max-w-176 min-w-0 md:pb-24">
      <header className="flex min-h-16 items-center justify-between gap-4 px-gutter py-3 md:px-1">
        <h1>
          <BackToFeed>‹ Feed</BackToFeed>
        </h1>
      </header>
      <SameUser id={viewer.id} />
      {thread?.post ? (
        <>
          <Thread post={thread.post} ancestors={thread.ancestors} viewerId={viewer.id} searchParams={searchParams} />
          <Suspense fallback={null}>
            <MoreLikeThis viewerId={viewer.id} postId={id} />
          </Suspense>
        </>
      ) : (
        <Notice title="The post is temporarily unavailable">Please reload the page in a moment.</Notice>
      )}
    </main>
  );
}

interface ThreadProps extends PostPageProps {
  post: PostWithUser;
  ancestors: (PostWithUser | null)[];
  viewerId: string;
}

/** The posts above a post, the post, and its replies. */
async function Thread({ post, ancestors, viewerId, searchParams }: Omit<ThreadProps, "params">) {
  const { request_id, replies } = await searchParams;
  const isTop = replies === "top";
  return (
    <div className="feed-column border-y border-line bg-raised md:rounded-card md:border-x">
      <SinglePost
        post={post}
        ancestors={ancestors}
        requestId={typeof request_id === "string" && isRequestId(request_id) ? request_id : null}
      />
      <PostsOfList
        key={isTop ? "top" : "newest"}
        viewerId={viewerId}
        name={{ list: isTop ? "top-replies" : "replies", of: post.id }}
        label="Replies"
        empty={{ title: "No replies to show", text: "Replies that you may see appear here." }}
        hiddenIfEmpty
        header={
          <header className="flex items-center justify-between gap-4 border-b border-line px-gutter py-3">
            <h2 className="font-bold">Replies</h2>
            <ReplyOrderLinks path={pathOf(post)} isTop={isTop} />
          </header>
        }
        searchParams={searchParams}
        parameters={isTop ? { replies: "top" } : undefined}
      />
    </div>
  );
}

/** The post, if the viewer may see it, with the posts above it; null if they cannot be read now. */
async function readThread(viewerId: string, postId: string) {
  try {
    const [[post], ancestors] = await Promise.all([findPosts(viewerId, [postId]), findAncestors(viewerId, postId)]);
    return { post, ancestors };
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
    return null;
  }
}
