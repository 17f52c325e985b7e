"use client";

import { useQuery } from "@tanstack/react-query";
import type { PostWithUser } from "@/lib/feed/post";
import type { Reply } from "@/lib/feed/reply";
import { useEngagement } from "./events-provider";
import { RelativeTime } from "./relative-time";
import { Avatar } from "./ui/avatar";
import { Button } from "./ui/button";
import { useWriteQueue } from "./writing/use-write-queue";
import { isWrittenHere, type WriteStates } from "./writing/write";
import { WriteStatus } from "./writing/write-status";
import { useWriteStates, useWrites } from "./writing/writes-provider";
import { WritingForm } from "./writing/writing-form";

interface CommentsProps {
  post: PostWithUser;
  /** The page of the feed that showed the post. */
  requestId: string | null;
  /** Whether the page has a list of the replies that are posts. Those that the user has just written are only here. */
  isInThread?: boolean;
}

/** The replies to a post, those of the user that are on their way, and a form for a new one. */
export function Comments({ post, requestId, isInThread = false }: CommentsProps) {
  const { post: write } = useWriteQueue();
  const { deletion } = useWrites();
  const states = useWriteStates((all) => all);
  const ownComments = useEngagement(post.id).ownComments ?? post.ownComments ?? 0;
  const parent = { id: post.id, ownComments };
  const { data, isPending, isError } = useQuery({
    queryKey: ["comments", post.id],
    queryFn: async ({ signal }): Promise<Reply[]> => {
      const response = await fetch(`/api/posts/${post.id}/replies`, { signal });
      if (!response.ok) throw new Error(`GET /api/posts/${post.id}/replies: status ${response.status}`);
      return ((await response.json()) as { replies: Reply[] }).replies;
    },
  });
  const all = withWrites(data ?? [], states, post.id);
  const replies = isInThread ? all.filter(({ id, isPost }) => !isPost || isWrittenHere(states, id)) : all;

  return (
    <section className="mt-1 mb-2 border-t border-line pt-2.5" aria-label="Replies">
      {isError && <p className="text-sm text-soft">The replies are temporarily unavailable.</p>}
      {!isPending && !isError && all.length === 0 && <p className="text-sm text-soft">No replies yet.</p>}
      <ul>
        {replies.map(({ id, author, text, createdAt, own }) => (
          <li key={id} className="my-2 grid grid-cols-[1.625rem_minmax(0,1fr)] gap-2.5 text-md wrap-anywhere">
            <Avatar id={author} name={author} size={26} />
            <div>
              <p>
                <strong>{author}</strong> <RelativeTime iso={createdAt} />
              </p>
              <p dir="auto" className="whitespace-pre-line">
                {text}
              </p>
              {states[id] && !states[id].sent && <WriteStatus state={states[id]} />}
              {own && (
                <Button
                  variant="quiet"
                  size="small"
                  className="-ml-3.5"
                  onClick={() => deletion.setState({ asked: { id, kind: "reply", parent } })}
                >
                  Delete
                </Button>
              )}
            </div>
          </li>
        ))}
      </ul>
      <WritingForm
        label="Your reply"
        placeholder="Write a reply"
        submitLabel="Reply"
        onSubmit={(text) => void write({ text, reply_to: post.id, request_id: requestId }, parent)}
      />
    </section>
  );
}

/** The stored replies with those of the user that are on their way, and without those that the user has deleted. */
function withWrites(stored: Reply[], states: WriteStates, postId: string): Reply[] {
  const storedIds = new Set(stored.map(({ id }) => id));
  const written = Object.values(states).flatMap(({ id, post, createdAt, sent }): Reply[] =>
    post?.reply_to !== postId || storedIds.has(id)
      ? []
      : [{ id, author: "You", text: post.text, createdAt, own: sent, isPost: true }],
  );
  const isDeleted = ({ id }: Reply) => states[id]?.post === null && states[id].rejection === null;
  return [...stored.filter((reply) => !isDeleted(reply)), ...written];
}
