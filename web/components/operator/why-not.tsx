import type { PostTrace } from "@feed/client";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/text-field";
import type { PostWithUser } from "@/lib/feed/post";
import { verdictOf } from "@/lib/feed/post-verdict";
import type { Answer } from "@/lib/services/answer";
import { Remark } from "./section";
import { ScoreParts } from "./served-list";

interface WhyNotProps {
  userId: string;
  postId: string;
  /** Null before a post is chosen. */
  trace: Answer<PostTrace> | null;
  /** Null if the user may not see the post, or the database is unavailable. */
  post: PostWithUser | null;
}

/** Asks what became of any post in the user's ranking. */
export function WhyNot({ userId, postId, trace, post }: WhyNotProps) {
  return (
    <>
      <form method="get" className="mb-3 flex flex-wrap items-center gap-3">
        <input type="hidden" name="user" value={userId} />
        <label htmlFor="post" className="text-sm">
          Id of a post
        </label>
        <TextField
          className="w-85 max-w-full"
          id="post"
          name="post"
          defaultValue={postId}
          maxLength={128}
          autoComplete="off"
        />
        <Button type="submit">Explain</Button>
      </form>
      {trace?.problem && <Remark>{trace.problem}</Remark>}
      {trace?.value && <Verdict trace={trace.value} post={post} />}
    </>
  );
}

function Verdict({ trace, post }: { trace: PostTrace; post: PostWithUser | null }) {
  const { isShown, answer, reasons } = verdictOf(trace);
  return (
    <div className="grid gap-4 rounded-card border border-line bg-raised px-4.5 py-4 lg:grid-cols-[minmax(0,1fr)_20rem]">
      <div className="min-w-0">
        <p className="text-lg">
          <Badge tone={isShown ? "good" : "fair"}>{isShown ? "Shown" : "Not shown"}</Badge> <strong>{answer}</strong>
        </p>
        {post && (
          <p className="mt-1 line-clamp-3 text-soft wrap-anywhere" dir="auto">
            {post.content}
          </p>
        )}
        <ul className="mt-2 list-disc pl-5">
          {reasons.map((reason) => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      </div>
      {Object.keys(trace.score_parts ?? {}).length > 0 && <ScoreParts parts={trace.score_parts ?? {}} />}
    </div>
  );
}
