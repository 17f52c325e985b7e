import type { Recommendation } from "@feed/client";
import { whySentence } from "@/components/reasons";
import { Bars, RawValues } from "@/components/score-parts";
import { Badge } from "@/components/ui/badge";
import { type PostExplanation, type PostWithUser, whyOf } from "@/lib/feed/post";
import { formatName } from "./names";

export interface ServedPost {
  recommendation: Recommendation;
  /** Null if the database is unavailable. */
  post: PostWithUser | null;
  /** The sources that found the post; null if the service did not return them. */
  sources: string[] | null;
}

const OPEN_POSTS = 10;

/** The posts as the user gets them, each with why it is there. The first ones are open. */
export function ServedList({ posts }: { posts: ServedPost[] }) {
  return (
    <>
      <Posts posts={posts.slice(0, OPEN_POSTS)} start={1} />
      {posts.length > OPEN_POSTS && (
        <details className="mt-3">
          <summary className="text-soft">{posts.length - OPEN_POSTS} further posts</summary>
          <div className="mt-3">
            <Posts posts={posts.slice(OPEN_POSTS)} start={OPEN_POSTS + 1} />
          </div>
        </details>
      )}
    </>
  );
}

function Posts({ posts, start }: { posts: ServedPost[]; start: number }) {
  return (
    <ol start={start} className="grid gap-3">
      {posts.map(({ recommendation, post, sources }, index) => (
        <li
          key={recommendation.post_id}
          className="grid gap-4 rounded-card border border-line bg-raised px-4.5 py-4 lg:grid-cols-[minmax(0,1fr)_20rem]"
        >
          <div className="min-w-0">
            <p className="line-clamp-3 wrap-anywhere" dir="auto">
              <span className="font-bold tabular-nums">{start + index}.</span>{" "}
              {post?.content ?? "The text is unavailable."}
            </p>
            <p className="mt-1 text-xs text-soft wrap-anywhere">
              {post?.author?.name ?? "unknown author"} · {post?.createdAt.slice(0, 10)} · {recommendation.post_id}
            </p>
            <p className="mt-2 text-md">
              <strong>Why:</strong> {whySentence(whyOf(recommendation), post?.author?.name ?? null)}.
            </p>
            <p className="mt-1.5 flex flex-wrap items-center gap-1.5 text-sm">
              <Badge>score {recommendation.score.toFixed(3)}</Badge>
              <Badge>reason: {formatName(recommendation.reason)}</Badge>
              {sources && <Badge>{foundBy(sources)}</Badge>}
            </p>
          </div>
          <ScoreParts parts={scoreParts(recommendation)} />
        </li>
      ))}
    </ol>
  );
}

function foundBy(sources: string[]): string {
  return sources.length === 0 ? "follows the ranked posts" : `found by: ${sources.map(formatName).join(", ")}`;
}

/** What raised and lowered the score, and the features behind it. */
export function ScoreParts({ parts }: { parts: PostExplanation }) {
  return (
    <div className="min-w-0">
      <Bars explanation={parts} />
      <RawValues explanation={parts} />
    </div>
  );
}

function scoreParts(recommendation: Recommendation): PostExplanation {
  const {
    post_id: _id,
    external_id: _externalId,
    score: _score,
    reason: _reason,
    evidence: _evidence,
    ...parts
  } = recommendation;
  return parts;
}
