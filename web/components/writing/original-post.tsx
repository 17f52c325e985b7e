import { Repeat2 } from "lucide-react";
import type { OriginalPost as Original, PostExcerpt } from "@/lib/feed/post";
import { RelativeTime } from "../relative-time";
import { Avatar } from "../ui/avatar";

const CARD = "mt-2 rounded-card border border-line px-3.5 py-2.5 text-md";

/** The post that another one quotes or reposts. */
export function OriginalPost({ original: { kind, post } }: { original: Original }) {
  return (
    <>
      {kind === "repost" && (
        <p className="flex items-center gap-1.5 text-sm text-soft">
          <Repeat2 size={16} /> Reposted
        </p>
      )}
      {post ? <Excerpt post={post} /> : <p className={`${CARD} text-soft`}>This post is not available.</p>}
    </>
  );
}

/** A post in short. */
export function Excerpt({ post }: { post: PostExcerpt }) {
  const name = post.author?.name ?? "Unknown author";
  return (
    <blockquote className={CARD}>
      <p className="flex items-center gap-2">
        <Avatar id={post.author?.id ?? null} name={name} size={22} />
        <span className="truncate font-semibold">{name}</span>
        <a href={`/post/${post.id}`} className="shrink-0 text-sm text-soft hover:underline">
          <span className="sr-only">Open this post, </span>
          <RelativeTime iso={post.createdAt} />
        </a>
      </p>
      <p dir="auto" className="mt-1 line-clamp-6 wrap-anywhere whitespace-pre-line">
        {post.text}
      </p>
    </blockquote>
  );
}
