"use client";

import Link from "next/link";
import { memo, useEffect, useId, useRef, useState } from "react";
import type { PostWithUser } from "@/lib/feed/post";
import { Avatar } from "./avatar";
import { Comments } from "./comments";
import { useEvents } from "./events-provider";
import { Explanation } from "./explanation";
import { CommentIcon, HeartIcon, ShareIcon } from "./icons";
import { PostMenu } from "./post-menu";
import { RelativeTime } from "./relative-time";

interface PostCardProps {
  post: PostWithUser;
  requestId: string | null;
  /** The position in a feed, from 1. */
  position?: number;
  /** Whether the post has a page of its own, with its comments open. */
  single?: boolean;
  announce: (message: string) => void;
}

/** One post with its actions. */
export const PostCard = memo(function PostCard({ post, requestId, position, single = false, announce }: PostCardProps) {
  const { tracker, engagementOf, record } = useEvents();
  const [commentsOpen, setCommentsOpen] = useState(single);
  const element = useRef<HTMLElement>(null);
  const ids = { author: useId(), text: useId(), comments: useId() };
  const local = engagementOf(post.id);

  useEffect(() => {
    if (element.current && tracker) return tracker.watch(element.current, post.id, requestId);
  }, [tracker, post.id, requestId]);

  const liked = post.liked || local.liked === true;
  const likes = post.likeCount + (local.liked && !post.liked ? 1 : 0);
  const comments = post.commentCount + (local.comments ?? 0);
  const shares = post.shareCount + (local.shared && !post.shared ? 1 : 0);
  const name = post.author?.name ?? "Unknown author";
  const href = `/post/${post.id}`;

  const like = () => {
    if (liked) return;
    record(post.id, "like", { requestId });
    announce("Liked");
  };
  const copyLink = async () => {
    const address = new URL(href, location.href).href;
    try {
      await navigator.clipboard.writeText(address);
      announce("Link copied");
    } catch {
      announce(address);
    }
  };
  const share = async () => {
    const address = new URL(href, location.href).href;
    const touch = matchMedia("(pointer: coarse)").matches;
    if (touch && typeof navigator.share === "function") {
      try {
        await navigator.share({ url: address, text: post.content ?? undefined });
      } catch {
        return; // the user cancelled
      }
      announce("Shared");
    } else {
      await copyLink();
    }
    record(post.id, "share", { requestId });
  };
  const recordClick = () => record(post.id, "click", { requestId });

  return (
    <article
      ref={element}
      className="post"
      data-post={post.id}
      tabIndex={position === undefined ? undefined : 0}
      aria-labelledby={ids.author}
      aria-describedby={ids.text}
      aria-posinset={position}
      aria-setsize={position === undefined ? undefined : -1}
    >
      <Avatar name={post.author?.name ?? null} />
      <div className="post-body">
        <header>
          <span id={ids.author} className={post.author ? "author" : "author unknown"}>
            {name}
          </span>
          <Link href={href} className="when" prefetch={false} onClick={recordClick}>
            <RelativeTime iso={post.createdAt} />
          </Link>
          <PostMenu href={href} onCopy={() => void copyLink()} onOpen={recordClick} />
        </header>
        <p id={ids.text} className={post.content ? "content" : "content missing"}>
          {post.content ?? `The text of this post is not available (${post.externalId}).`}
        </p>
        {post.tags.length > 0 && (
          <ul className="tags" aria-label="Tags">
            {post.tags.slice(0, 5).map((tag) => (
              <li key={tag}>#{tag}</li>
            ))}
          </ul>
        )}
        <footer>
          <button
            type="button"
            className="action like"
            aria-pressed={liked}
            aria-label={`Like, ${pluralise(likes, "like")}`}
            onClick={like}
          >
            <HeartIcon filled={liked} />
            <Count value={likes} />
          </button>
          <button
            type="button"
            className="action"
            aria-expanded={commentsOpen}
            aria-controls={ids.comments}
            aria-label={`Comments, ${pluralise(comments, "comment")}`}
            onClick={() => setCommentsOpen((open) => !open)}
          >
            <CommentIcon />
            <Count value={comments} />
          </button>
          <button
            type="button"
            className="action"
            aria-label={`Share, ${pluralise(shares, "share")}`}
            onClick={() => void share()}
          >
            <ShareIcon />
            <Count value={shares} />
          </button>
          {post.why && <Explanation explanation={post.why} />}
        </footer>
        <div id={ids.comments}>
          {commentsOpen && (
            <Comments
              postId={post.id}
              onComment={(text) => {
                record(post.id, "comment", { requestId, metadata: { text } });
                announce("Comment posted");
              }}
            />
          )}
        </div>
      </div>
    </article>
  );
});

const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

function Count({ value }: { value: number }) {
  return <span className="count">{value > 0 ? COMPACT.format(value) : ""}</span>;
}

function pluralise(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
