"use client";

import type { FeedMode } from "@feed/client";
import { type Feed as FeedState, useFeed } from "@feed/client/react";
import { type KeyboardEvent, useCallback, useEffect, useRef, useState } from "react";
import type { PostWithUser } from "@/lib/feed/post";
import { useAnnouncer } from "./announcer";
import { useEvents } from "./events-provider";
import { CheckIcon, RefreshIcon } from "./icons";
import { ModeSwitch } from "./mode-switch";
import { PostCard } from "./post-card";
import { Skeletons } from "./skeletons";

/** The last page's events are worth this much waiting before a new list is asked for. */
const SETTLE_MS = 800;
const EMPTY: Record<FeedMode, { title: string; text: string }> = {
  ranked: { title: "Nothing here yet", text: "As soon as somebody posts, it appears here." },
  newest: { title: "Nothing here yet", text: "As soon as somebody posts, it appears here." },
  following: {
    title: "Quiet so far",
    text: "The people you follow have posted nothing new, or you follow nobody yet.",
  },
};

/** The endless feed of the user in front of the page. */
export function Feed() {
  const { user, settle } = useEvents();
  const [mode, setMode] = useState<FeedMode>("ranked");
  const before = useCallback(() => settle(SETTLE_MS), [settle]);
  const feed = useFeed<PostWithUser>({ mode, user, before });
  const { say, announcer } = useAnnouncer();

  const begin = async () => {
    scrollTo({ top: 0 });
    await feed.refresh();
  };

  return (
    <div className="feed-column" data-source={feed.last?.source} data-status={feed.status}>
      <div className="feed-bar">
        <ModeSwitch mode={mode} onChange={setMode} />
        <button type="button" className="icon-button" aria-label="Load a new list" onClick={() => void begin()}>
          <RefreshIcon />
        </button>
      </div>
      <SourceNote feed={feed} />
      <List feed={feed} mode={mode} say={say} />
      {announcer}
    </div>
  );
}

function SourceNote({ feed }: { feed: FeedState<PostWithUser> }) {
  const { last } = feed;
  let note = null;
  if (last?.source === "random_fallback") note = "Your recommendations are on their way back. Here is a mix meanwhile.";
  else if (last?.degraded) note = "This list was made with part of the usual information.";
  return (
    <div role="status" className="source-note" data-shown={note !== null}>
      {note}
    </div>
  );
}

function List({ feed, mode, say }: { feed: FeedState<PostWithUser>; mode: FeedMode; say: (text: string) => void }) {
  const list = useRef<HTMLDivElement>(null);
  const { entries, status } = feed;

  if (status === "loading") return <Skeletons count={5} label="Loading your feed" />;
  if (status === "unreachable") {
    return (
      <Notice title="The feed is resting for a moment" action="Try now" onAction={feed.retryNow} alert>
        We cannot reach the posts just now. Nothing you did is lost, and this page keeps trying by itself.
      </Notice>
    );
  }
  if (status === "empty" && !feed.caughtUp) return <Notice title={EMPTY[mode].title}>{EMPTY[mode].text}</Notice>;

  const split = feed.seenFrom ?? entries.length;
  const card = ({ post, requestId }: (typeof entries)[number], place: number) => (
    <PostCard key={post.id} post={post} requestId={requestId} place={place + 1} say={say} />
  );
  return (
    <div ref={list} onKeyDown={(event) => moveBetweenPosts(event, list.current)}>
      <div role="feed" aria-label="Posts" aria-busy={feed.fetchingMore}>
        {entries.slice(0, split).map(card)}
      </div>
      {(feed.caughtUp || feed.seenFrom !== null) && <CaughtUp onShowSeen={feed.showSeen} />}
      {split < entries.length && (
        <div role="feed" aria-label="Posts you have met before" aria-busy={feed.fetchingMore} className="seen">
          {entries.slice(split).map((entry, place) => card(entry, split + place))}
        </div>
      )}
      <Continuation feed={feed} />
    </div>
  );
}

/** What stands below the last post: the way on, or the end. */
function Continuation({ feed }: { feed: FeedState<PostWithUser> }) {
  const { hasMore, fetchMore, fetchingMore, struggling } = feed;
  const sentinel = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!sentinel.current || !hasMore) return;
    // several changes may come at once: the last one is how it stands
    const observer = new IntersectionObserver((changes) => changes.at(-1)?.isIntersecting && fetchMore(), {
      rootMargin: "1200px 0px",
    });
    observer.observe(sentinel.current);
    return () => observer.disconnect();
  }, [hasMore, fetchMore, feed.entries.length]);

  if (feed.outdated) {
    return (
      <Notice title="This list is out of date" action="Load a new one" onAction={() => location.reload()} alert>
        It belongs to another visit, or to somebody else who has signed in here since.
      </Notice>
    );
  }
  if (struggling) {
    return (
      <Notice title="More posts in a moment" action="Try now" onAction={feed.retryNow} alert>
        They cannot be reached just now. This page keeps trying by itself.
      </Notice>
    );
  }
  if (hasMore) {
    return (
      <div ref={sentinel} className="continuation">
        {fetchingMore ? (
          <Skeletons count={2} label="Loading more posts" />
        ) : (
          <button type="button" className="quiet-button" onClick={fetchMore}>
            More posts
          </button>
        )}
      </div>
    );
  }
  return feed.caughtUp ? null : <p className="the-end">That was everything.</p>;
}

function CaughtUp({ onShowSeen }: { onShowSeen: (() => void) | null }) {
  return (
    <section className="caught-up" aria-label="End of new posts">
      <span className="badge">
        <CheckIcon />
      </span>
      <h2>You are all caught up</h2>
      {onShowSeen ? (
        <button type="button" className="quiet-button" onClick={onShowSeen}>
          Show posts I have met before
        </button>
      ) : (
        <p className="quiet">Below are posts you have met before.</p>
      )}
    </section>
  );
}

interface NoticeProps {
  title: string;
  children: string;
  action?: string;
  onAction?: () => void;
  alert?: boolean;
}

function Notice({ title, children, action, onAction, alert = false }: NoticeProps) {
  return (
    <section className="notice" role={alert ? "alert" : undefined}>
      <h2>{title}</h2>
      <p>{children}</p>
      {action && (
        <button type="button" className="quiet-button" onClick={onAction}>
          {action}
        </button>
      )}
    </section>
  );
}

/** Page Up and Page Down go from post to post, as the ARIA pattern of a feed wants it; so do j and k. */
function moveBetweenPosts(event: KeyboardEvent, list: HTMLElement | null): void {
  const target = event.target as HTMLElement;
  if (target.closest("input, textarea, [popover]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { PageDown: 1, j: 1, PageUp: -1, k: -1 }[event.key];
  if (!step || !list) return;
  const posts = [...list.querySelectorAll<HTMLElement>("article")];
  const next = posts[posts.findIndex((post) => post.contains(target)) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "start", behavior: "instant" });
}
