"use client";

import { Heart, MessageSquare, Send } from "lucide-react";
import Link from "next/link";
import { useCallback, useEffect, useId, useRef, useState } from "react";
import type { PostAuthor, PostWithUser } from "@/lib/feed/post";
import { profilePath, tagPath } from "@/lib/feed/profile";
import { useEngagement, useEvents } from "./events-provider";
import { Explanation } from "./explanation";
import { useIsFollowing } from "./follows-provider";
import { useLeftPost } from "./list-position";
import { useFarHeight } from "./near-screen";
import { pathOf } from "./post-link";
import { PostMenu } from "./post-menu";
import { PostText } from "./post-text";
import { whySentence } from "./reasons";
import { RelativeTime } from "./relative-time";
import { Avatar } from "./ui/avatar";
import { cn } from "./ui/cn";
import { useLoadOnFirstUse } from "./ui/load-on-first-use";

const MAX_TAGS = 5;
/** The posts after these are near the screen only after the user has scrolled. */
const RENDERED_AT_ONCE = 20;
const ESTIMATED_HEIGHT_PX = 180;
const UNKNOWN_AUTHOR = "Unknown author";
/** The browser lays out a post when it comes near the screen. */
const POST =
  "grid grid-cols-[2.5rem_minmax(0,1fr)] gap-x-3 border-b border-line px-gutter pt-row pb-1.5 -outline-offset-3 [contain-intrinsic-size:auto_180px] [content-visibility:auto]";
const ACTION =
  "inline-flex h-9.5 min-w-11 items-center gap-1.5 rounded-full px-2.5 text-sm text-soft tabular-nums transition-colors hover:bg-sunken hover:text-ink";

export interface PostCardProps {
  post: PostWithUser;
  requestId: string | null;
  /** The position in a feed, from 1; 0 outside a feed. */
  position?: number;
  /** Whether the post has a page of its own, with its comments open. */
  single?: boolean;
  announce: (message: string) => void;
}

/**
 * One post with its actions. Far from the screen only its text stays in the document, in an element of the same height:
 * a long list remains small, and "find in page" and screen readers still have every post.
 */
export function PostCard({ post, requestId, position = 0, single = false, announce }: PostCardProps) {
  const { tracker, record } = useEvents();
  const [commentsOpen, setCommentsOpen] = useState(single);
  const [hasFocus, setHasFocus] = useState(false);
  const element = useRef<HTMLElement>(null);
  const left = useLeftPost(post.id);
  const newHeightPx = position > RENDERED_AT_ONCE ? ESTIMATED_HEIGHT_PX : null;
  const leftHeightPx = left?.isNear ? null : left?.heightPx;
  const farHeightPx = useFarHeight(element, leftHeightPx === undefined ? newHeightPx : leftHeightPx);
  const isFar = farHeightPx !== null && !hasFocus && !commentsOpen;
  const name = post.author?.name ?? null;
  const ids = { author: useId(), text: useId(), comments: useId() };
  useEffect(() => {
    if (element.current && tracker) return tracker.watch(element.current, post.id, requestId);
  }, [tracker, post.id, requestId]);

  const addComment = (text: string) => {
    record(post.id, "comment", { requestId, metadata: { text } });
    announce("Comment posted");
  };

  return (
    <article
      ref={element}
      className={cn(POST, isFar && "overflow-clip")}
      // A post that was near when the reader left is laid out at once: the browser has not seen its new element.
      style={isFar ? { height: farHeightPx } : left?.isNear ? { contentVisibility: "visible" } : undefined}
      data-post={post.id}
      tabIndex={position > 0 ? 0 : undefined}
      onFocus={() => setHasFocus(true)}
      onBlur={({ currentTarget }) => setHasFocus(currentTarget.contains(document.activeElement))}
      aria-label={isFar ? (name ?? UNKNOWN_AUTHOR) : undefined}
      aria-labelledby={isFar ? undefined : ids.author}
      aria-describedby={ids.text}
      aria-posinset={position > 0 ? position : undefined}
      aria-setsize={position > 0 ? -1 : undefined}
    >
      {!isFar && <AuthorPicture author={post.author} />}
      <div className={isFar ? "col-start-2" : undefined}>
        {!isFar && <PostHeader post={post} requestId={requestId} authorElementId={ids.author} announce={announce} />}
        <PostText
          id={ids.text}
          text={post.content}
          missing={`The text of this post is not available (${post.externalId}).`}
          whole={single}
          plain={isFar}
        />
        {!isFar && (
          <>
            <Tags tags={post.tags} />
            <Why post={post} />
            {/* Its size does not depend on the counts, so a like needs no layout of the list around it. */}
            <footer className="mt-1 -ml-2.5 flex h-9.5 items-center gap-0.5 [contain:layout_size]">
              <LikeButton post={post} requestId={requestId} announce={announce} />
              <CommentsButton
                post={post}
                open={commentsOpen}
                controls={ids.comments}
                onToggle={() => setCommentsOpen((open) => !open)}
              />
              <ShareButton post={post} requestId={requestId} announce={announce} />
            </footer>
            <div id={ids.comments}>
              {commentsOpen && <CommentsOnDemand postId={post.id} onComment={addComment} announce={announce} />}
            </div>
          </>
        )}
      </div>
    </article>
  );
}

const loadComments = () => import("./comments").then((module) => module.Comments);

interface CommentsOnDemandProps {
  postId: string;
  onComment: (text: string) => void;
  announce: (message: string) => void;
}

/** The comments of a post. Their script is loaded when they are first opened. */
function CommentsOnDemand({ announce, ...props }: CommentsOnDemandProps) {
  const onFailure = useCallback(() => announce("The comments could not be loaded. Please try again."), [announce]);
  const Loaded = useLoadOnFirstUse(true, loadComments, onFailure);
  return Loaded && <Loaded {...props} />;
}

/** Why the post is shown, with what the user changed on this page. */
function Why({ post }: { post: PostWithUser }) {
  const follows = useIsFollowing(post.author);
  if (post.why === null) return null;
  let { why } = post;
  if (follows) why = { kind: "followed_author" };
  else if (why.kind === "followed_author") why = { kind: "recommended" };
  return <Explanation postId={post.id} sentence={whySentence(why, post.author?.name ?? null)} />;
}

type ActionProps = Pick<PostCardProps, "post" | "requestId" | "announce">;

function PostHeader({ post, requestId, authorElementId, announce }: ActionProps & { authorElementId: string }) {
  const { record } = useEvents();
  return (
    <header className="mb-0.5 flex min-h-6 items-center gap-2">
      {post.author ? (
        <Link
          id={authorElementId}
          href={profilePath(post.author.id)}
          prefetch={false}
          dir="auto"
          className="author truncate font-semibold hover:underline"
        >
          {post.author.name}
        </Link>
      ) : (
        <span id={authorElementId} className="author truncate font-medium text-soft">
          {UNKNOWN_AUTHOR}
        </span>
      )}
      <Link
        href={pathOf(post, requestId)}
        className="when shrink-0 text-sm whitespace-nowrap text-soft hover:underline"
        aria-keyshortcuts="o"
        prefetch={false}
        onClick={() => record(post.id, "click", { requestId })}
      >
        <RelativeTime iso={post.createdAt} />
      </Link>
      <PostMenu post={post} requestId={requestId} announce={announce} />
    </header>
  );
}

/** The picture of the author. It leads to their page as their name does, which is enough for the keyboard. */
function AuthorPicture({ author }: { author: PostAuthor | null }) {
  if (author === null) return <Avatar id={null} name={null} />;
  return (
    <Link href={profilePath(author.id)} prefetch={false} tabIndex={-1} aria-hidden="true" className="size-10">
      <Avatar id={author.id} name={author.name} />
    </Link>
  );
}

function Tags({ tags }: { tags: string[] }) {
  if (tags.length === 0) return null;
  return (
    <ul className="mt-1.5 flex flex-wrap gap-x-2.5 gap-y-1 text-sm text-soft" aria-label="Tags">
      {tags.slice(0, MAX_TAGS).map((tag) => (
        <li key={tag}>
          <Link href={tagPath(tag)} prefetch={false} className="hover:underline">
            #{tag}
          </Link>
        </li>
      ))}
    </ul>
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
  const count = post.commentCount + (useEngagement(post.id).comments ?? 0);
  return (
    <button
      type="button"
      className={ACTION}
      aria-keyshortcuts="r"
      aria-expanded={open}
      aria-controls={controls}
      aria-label={`Comments, ${pluralise(count, "comment")}`}
      onClick={onToggle}
    >
      <MessageSquare size={20} />
      <Count value={count} />
    </button>
  );
}

function ShareButton({ post, requestId, announce }: ActionProps) {
  const { record } = useEvents();
  const sharedHere = useEngagement(post.id).shared === true && !post.shared;
  const count = post.shareCount + (sharedHere ? 1 : 0);
  const share = async () => {
    const { sharePost } = await import("./share-post");
    if (await sharePost(post, announce)) record(post.id, "share", { requestId });
  };
  return (
    <button
      type="button"
      className={ACTION}
      aria-label={`Share, ${pluralise(count, "share")}`}
      onClick={() => void share().catch(() => announce("The link could not be shared. Please try again."))}
    >
      <Send size={20} />
      <Count value={count} />
    </button>
  );
}

const COMPACT_FORMAT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

function Count({ value }: { value: number }) {
  return <span>{value > 0 ? COMPACT_FORMAT.format(value) : ""}</span>;
}

function pluralise(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
