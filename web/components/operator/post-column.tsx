import type { PostWithUser } from "@/lib/feed/post";
import { Remark } from "./section";

interface PostColumnProps {
  title: string;
  /** Null if the database is unavailable. */
  posts: PostWithUser[] | null;
  /** The posts of the ranked list; a post in both lists is marked. */
  rankedIds: ReadonlySet<string>;
}

/** A list in another order than the ranked one, to compare with. */
export function PostColumn({ title, posts, rankedIds }: PostColumnProps) {
  return (
    <section className="rounded-card border border-line bg-raised px-4.5 py-4" aria-label={title}>
      <h3 className="mb-1.5 font-bold">{title}</h3>
      {posts === null && <Remark>The database does not respond.</Remark>}
      {posts?.length === 0 && <Remark>No posts.</Remark>}
      <ol>
        {(posts ?? []).map((post) => (
          <li key={post.id} className="border-t border-line py-2.5">
            <p className="line-clamp-2 text-md wrap-anywhere" dir="auto">
              {post.content ?? post.externalId}
            </p>
            <small className="text-xs text-soft">
              {post.author?.name ?? "unknown"} · {post.createdAt.slice(0, 10)} · {post.likeCount} likes
              {rankedIds.has(post.id) && " · also in the ranked list"}
            </small>
          </li>
        ))}
      </ol>
    </section>
  );
}
