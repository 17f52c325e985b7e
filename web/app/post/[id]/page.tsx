import { notFound } from "next/navigation";
import { currentViewer } from "@/app/viewer";
import { BackToFeed } from "@/components/back-to-feed";
import { Notice } from "@/components/notice";
import { SameUser } from "@/components/same-user";
import { SinglePost } from "@/components/single-post";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isRequestId, isUuid } from "@/lib/platform/ids";
import { findPosts, type PostWithSeq } from "@/lib/repositories/post.repository";

export const metadata = { title: "Post" };

interface PostPageProps {
  params: Promise<{ id: string }>;
  searchParams: Promise<{ request_id?: string | string[] }>;
}

export default async function PostPage({ params, searchParams }: PostPageProps) {
  const { id } = await params;
  const { request_id } = await searchParams;
  if (!isUuid(id)) notFound();
  const viewer = await currentViewer();
  let posts: PostWithSeq[] | null;
  try {
    posts = await findPosts(viewer.id, [id.toLowerCase()]);
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
    posts = null;
  }
  const post = posts?.[0];
  if (posts && !post) notFound();
  return (
    <main id="main" className="mx-auto w-full max-w-176 min-w-0 md:pb-24">
      <header className="flex min-h-16 items-center justify-between gap-4 px-gutter py-3 md:px-1">
        <h1>
          <BackToFeed>‹ Feed</BackToFeed>
        </h1>
      </header>
      <SameUser id={viewer.id} />
      {post ? (
        <SinglePost
          post={post}
          requestId={typeof request_id === "string" && isRequestId(request_id) ? request_id : null}
        />
      ) : (
        <Notice title="The post is temporarily unavailable">Please reload the page in a moment.</Notice>
      )}
    </main>
  );
}
