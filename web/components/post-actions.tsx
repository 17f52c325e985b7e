"use client";

import { Heart, MessageSquare, Repeat2 } from "lucide-react";
import { useRef } from "react";
import type { PostWithUser } from "@/lib/feed/post";
import { useEngagement, useEvents } from "./events-provider";
import { cn } from "./ui/cn";
import { useOverlay } from "./ui/overlay-trigger";
import { useOwnRepost } from "./writing/own-repost";

const ACTION =
  "inline-flex h-9.5 min-w-11 items-center gap-1.5 rounded-full px-2.5 text-sm text-soft tabular-nums transition-colors hover:bg-sunken hover:text-ink";

export interface ActionProps {
  post: PostWithUser;
  /** The page of the feed that showed the post. */
  requestId: string | null;
  announce: (message: string) => void;
}

interface PostActionsProps extends ActionProps {
  commentsOpen: boolean;
  /** The id of the element with the comments. */
  commentsId: string;
  onToggleComments: () => void;
}

/** What a user can do with a post. The size does not depend on the counts, so a like needs no layout of the list. */
export function PostActions({ commentsOpen, commentsId, onToggleComments, ...action }: PostActionsProps) {
  return (
    <footer className="mt-1 -ml-2.5 flex h-9.5 items-center gap-0.5 [contain:layout_size]">
      <LikeButton {...action} />
      <CommentsButton post={action.post} open={commentsOpen} controls={commentsId} onToggle={onToggleComments} />
      <RepostButton {...action} />
    </footer>
  );
}

function LikeButton({ post, requestId, announce }: ActionProps) {
  const { record, unlike } = useEvents();
  const liked = useEngagement(post.id).liked ?? post.liked;
  const count = Math.max(0, post.likeCount + Number(liked) - Number(post.liked));
  const unlikeIsPending = useRef(false);
  const toggle = async () => {
    if (unlikeIsPending.current) return; // a new like must not arrive before the old one is removed
    if (!liked) {
      record(post.id, "like", { requestId });
      announce("Liked");
      return;
    }
    unlikeIsPending.current = true;
    try {
      announce("Like removed");
      await unlike(post.id);
    } catch {
      announce("The like could not be removed. Please try again.");
    } finally {
      unlikeIsPending.current = false;
    }
  };
  return (
    <button
      type="button"
      className={cn(ACTION, "like aria-pressed:text-accent")}
      aria-keyshortcuts="l"
      aria-pressed={liked}
      aria-label={`Like, ${pluralise(count, "like")}`}
      onClick={() => void toggle()}
    >
      <Heart size={20} fill={liked ? "currentColor" : "none"} />
      <Count value={count} />
    </button>
  );
}

interface CommentsButtonProps {
  post: PostWithUser;
  open: boolean;
  /** The id of the element that the button opens. */
  controls: string;
  onToggle: () => void;
}

function CommentsButton({ post, open, controls, onToggle }: CommentsButtonProps) {
  const { ownComments } = useEngagement(post.id);
  const sinceRead = ownComments === undefined ? 0 : ownComments - (post.ownComments ?? 0);
  const count = Math.max(0, post.commentCount + sinceRead);
  return (
    <button
      type="button"
      className={ACTION}
      aria-keyshortcuts="r"
      aria-expanded={open}
      aria-controls={controls}
      aria-label={`Replies, ${pluralise(count, "reply", "replies")}`}
      onClick={onToggle}
    >
      <MessageSquare size={20} />
      <Count value={count} />
    </button>
  );
}

const loadRepostEntries = () => import("./writing/repost-entries").then((module) => module.RepostEntries);

/** A button with the ways to pass a post on. It is marked while the user has reposted the post. */
function RepostButton(props: ActionProps) {
  const { post } = props;
  const { anchor, close, triggerProps, Content } = useOverlay("menu", loadRepostEntries);
  const ownRepost = useOwnRepost(post);
  const { shared = false } = useEngagement(post.id);
  // The server counts each user once. One whose repost is taken back is no longer counted.
  const isCounted = ownRepost.id !== null || shared || (post.shared && !ownRepost.isRemoved);
  const count = Math.max(0, post.shareCount + Number(isCounted) - Number(post.shared));
  return (
    <>
      <button
        type="button"
        className={cn(ACTION, ownRepost.id !== null && "text-good")}
        aria-label={`Repost, ${pluralise(count, "share")}${ownRepost.id === null ? "" : ", reposted by you"}`}
        {...triggerProps}
      >
        <Repeat2 size={20} />
        <Count value={count} />
      </button>
      {Content && <Content {...props} ownRepost={ownRepost} anchor={anchor} onClose={close} />}
    </>
  );
}

const COMPACT_FORMAT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

function Count({ value }: { value: number }) {
  return <span>{value > 0 ? COMPACT_FORMAT.format(value) : ""}</span>;
}

function pluralise(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
