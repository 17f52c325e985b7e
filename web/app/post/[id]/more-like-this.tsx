import { headers } from "next/headers";
import { PostGroup } from "@/components/post-group";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { findPosts, shownPost } from "@/lib/repositories/post.repository";
import { MLServiceClient } from "@/lib/services/ml-service";

const POSTS = 5;

/** Posts with similar texts that the viewer may see; absent if there are none, or while the service is away. */
export async function MoreLikeThis({ viewerId, postId }: { viewerId: string; postId: string }) {
  const posts = await findSimilarPosts(viewerId, postId, MLServiceClient.withTraceOf({ headers: await headers() }));
  if (posts.length === 0) return null;
  return (
    <section
      aria-labelledby="more-like-this"
      className="mt-6 border-y border-line bg-raised md:rounded-card md:border-x"
    >
      <h2 id="more-like-this" className="border-b border-line px-gutter py-3 font-bold">
        More like this
      </h2>
      <PostGroup posts={posts} />
    </section>
  );
}

/** The service may not have read the newest change of who sees what, so the database decides again. */
export async function findSimilarPosts(viewerId: string, postId: string, service: MLServiceClient) {
  const ids = await service.getSimilarPostIds(viewerId, postId, POSTS);
  try {
    return (await findPosts(viewerId, ids ?? [])).filter(({ id }) => id !== postId).map(shownPost);
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return [];
    throw error;
  }
}
