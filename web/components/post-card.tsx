"use client";

import { useCallback, useEffect, useId, useRef, useState } from "react";
import type { PostAuthor, PostWithUser } from "@/lib/feed/post";
import { profilePath, tagPath } from "@/lib/feed/profile";
import { useEvents } from "./events-provider";
import { Explanation } from "./explanation";
import { useIsFollowing } from "./follows-provider";
import { useLeftPost } from "./list-position";
import { useFarHeight } from "./near-screen";
import { type ActionProps, PostActions } from "./post-actions";
import { pathOf } from "./post-link";
import { PostMedia } from "./post-media";
import { PostMenu } from "./post-menu";
import { PostText } from "./post-text";
import { whySentence } from "./reasons";
import { RelativeTime } from "./relative-time";
import { Avatar } from "./ui/avatar";
import { cn } from "./ui/cn";
import { useLoadOnFirstUse } from "./ui/load-on-first-use";
import { OriginalPost } from "./writing/original-post";

const MAX_TAGS = 5;
/** The posts after these are near the screen only after the user has scrolled. */
const RENDERED_AT_ONCE = 20;
const ESTIMATED_HEIGHT_PX = 180;
const UNKNOWN_AUTHOR = "Unknown author";
/** The browser lays out a post when it comes near the screen. */
const POST =
  "grid grid-cols-[2.5rem_minmax(0,1fr)] gap-x-3 border-b border-line px-gutter pt-row pb-1.5 -outline-offset-3 [contain-intrinsic-size:auto_180px] [content-visibility:auto]";

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
  const { tracker } = useEvents();
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
        {post.media && !isFar && <PostMedia media={post.media} eager={position < 3} />}
        {post.original && !isFar && <OriginalPost original={post.original} />}
        {!isFar && (
          <>
            <Tags tags={post.tags} />
            <Why post={post} />
            <PostActions
              post={post}
              requestId={requestId}
              announce={announce}
              commentsOpen={commentsOpen}
              commentsId={ids.comments}
              onToggleComments={() => setCommentsOpen((open) => !open)}
            />
            <div id={ids.comments}>
              {commentsOpen && (
                <CommentsOnDemand post={post} requestId={requestId} isInThread={single} announce={announce} />
              )}
            </div>
          </>
        )}
      </div>
    </article>
  );
}

const loadComments = () => import("./comments").then((module) => module.Comments);

/** The comments of a post. Their script is loaded when they are first opened. */
function CommentsOnDemand({ announce, ...props }: ActionProps & { isInThread: boolean }) {
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

function PostHeader({ post, requestId, authorElementId, announce }: ActionProps & { authorElementId: string }) {
  const { record } = useEvents();
  return (
    <header className="mb-0.5 flex min-h-6 items-center gap-2">
      {post.author ? (
        <a
          id={authorElementId}
          href={profilePath(post.author.id)}
          dir="auto"
          className="author truncate font-semibold hover:underline"
        >
          {post.author.name}
        </a>
      ) : (
        <span id={authorElementId} className="author truncate font-medium text-soft">
          {UNKNOWN_AUTHOR}
        </span>
      )}
      <a
        href={pathOf(post, requestId)}
        className="when shrink-0 text-sm whitespace-nowrap text-soft hover:underline"
        aria-keyshortcuts="o"
        onClick={() => record(post.id, "click", { requestId })}
      >
        <RelativeTime iso={post.createdAt} />
      </a>
      <PostMenu post={post} requestId={requestId} announce={announce} />
    </header>
  );
}

/** The picture of the author. It leads to their page as their name does, which is enough for the keyboard. */
function AuthorPicture({ author }: { author: PostAuthor | null }) {
  if (author === null) return <Avatar id={null} name={null} />;
  return (
    <div aria-hidden="true" className="size-10">
      <a href={profilePath(author.id)} tabIndex={-1} className="block">
        <Avatar id={author.id} name={author.name} />
      </a>
    </div>
  );
}

function Tags({ tags }: { tags: string[] }) {
  if (tags.length === 0) return null;
  return (
    <ul className="mt-1.5 flex flex-wrap gap-x-2.5 gap-y-1 text-sm text-soft" aria-label="Tags">
      {tags.slice(0, MAX_TAGS).map((tag) => (
        <li key={tag}>
          <a href={tagPath(tag)} className="hover:underline">
            #{tag}
          </a>
        </li>
      ))}
    </ul>
  );
}
