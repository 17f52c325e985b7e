"use client";

import { X } from "lucide-react";
import { useEvents } from "../events-provider";
import { Avatar } from "../ui/avatar";
import { IconButton } from "../ui/icon-button";
import type { WriteState } from "./write";
import { WriteStatus } from "./write-status";
import { useWriteStates, useWrites } from "./writes-provider";

/**
 * The posts of the user that are on their way or rejected, and those that were stored since the page was loaded. Replies
 * are below their post; with `replies` those that are not stored are here too.
 */
export function OwnWrites({ replies = false }: { replies?: boolean }) {
  const states = useWriteStates((all) => all);
  const shown = Object.values(states).filter((state) => isShown(state, replies));
  if (shown.length === 0) return null;
  return (
    <section aria-label="Your new posts">
      <ul>
        {shown.map((state) => (
          <OwnWrite key={state.id} state={state} />
        ))}
      </ul>
    </section>
  );
}

function isShown({ post, sent, delayed, rejection }: WriteState, replies: boolean): boolean {
  const isOwnPost = post !== null && post.reply_to === undefined && post.repost_of === undefined;
  if (sent) return isOwnPost;
  if (post !== null && post.reply_to !== undefined) return replies;
  return isOwnPost || delayed || rejection !== null;
}

function OwnWrite({ state }: { state: WriteState }) {
  const { user } = useEvents();
  const { forget } = useWrites();
  const { id, post, sent } = state;
  return (
    <li className="grid grid-cols-[2.5rem_minmax(0,1fr)] gap-x-3 border-b border-line bg-sunken px-gutter py-3 wrap-anywhere">
      <Avatar id={user} name="You" />
      <div>
        {post?.text ? (
          <p dir="auto" className="line-clamp-6 whitespace-pre-line">
            {post.text}
          </p>
        ) : (
          <p className="text-soft">{post ? "Your repost" : "A post that you delete"}</p>
        )}
        {sent ? (
          <p className="flex items-center gap-x-2 text-sm">
            Your post was published.
            <a href={`/post/${id}`} className="font-semibold underline">
              View
            </a>
            <IconButton label="Close" className="-my-2 ml-auto" onClick={() => forget(id)}>
              <X size={18} />
            </IconButton>
          </p>
        ) : (
          <WriteStatus state={state} />
        )}
      </div>
    </li>
  );
}
