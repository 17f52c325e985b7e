"use client";

import { type FeedMode, type FeedPage, feedQueryKey, listOf } from "@feed/client";
import { type Feed as FeedState, useFeed } from "@feed/client/react";
import { useQueryClient } from "@tanstack/react-query";
import { RotateCw } from "lucide-react";
import { useSearchParams } from "next/navigation";
import { useCallback, useRef, useState } from "react";
import { feedModeOf, feedPath } from "@/lib/feed/feed-mode";
import type { PostWithUser } from "@/lib/feed/post";
import { useAnnouncer } from "./announcer";
import { isListed } from "./dismissals";
import { useEvents } from "./events-provider";
import { useDismissals, useFeedback } from "./feedback-provider";
import { useFollows } from "./follows-provider";
import { ListPosition } from "./list-position";
import { ModeSwitch } from "./mode-switch";
import { moveBetweenPosts } from "./move-between-posts";
import { NewPosts } from "./new-posts";
import { Notice } from "./notice";
import { PostEntry } from "./post-entry";
import { Skeletons } from "./skeletons";
import { Button } from "./ui/button";
import { IconButton } from "./ui/icon-button";
import { useNearScreen } from "./use-near-screen";
import { usePullToRefresh } from "./use-pull-to-refresh";
import { type Recovery, useRecovery } from "./use-recovery";
import { OwnWritesOnDemand } from "./writing/own-writes-on-demand";

/** A new list is requested after pending events, feedback and follows are sent, or after this time. */
const FLUSH_TIMEOUT_MS = 800;
const EMPTY_NOTICE: Record<FeedMode, { title: string; text: string }> = {
  ranked: { title: "No posts yet", text: "New posts appear here." },
  newest: { title: "No posts yet", text: "New posts appear here." },
  following: {
    title: "No posts yet",
    text: "Posts of the people you follow appear here.",
  },
};

/** The first page of a list, from the server. */
export interface ServerPage {
  mode: FeedMode;
  page: FeedPage<PostWithUser>;
  /** The page of the service, if `page` has fallback posts because it arrives late. */
  rankedPage: Promise<FeedPage<PostWithUser> | null> | null;
}

/**
 * The endless feed of the session's user. Its address says which list it shows. A list stays in the cache: the page of
 * the server starts a list, and never takes the place of one that the reader has.
 */
export function Feed({ first }: { first: ServerPage | null }) {
  const { user, flush } = useEvents();
  const client = useQueryClient();
  const mode = feedModeOf(useSearchParams()?.get("feed")) ?? "ranked";
  useState(() => {
    if (!first) return;
    const key = feedQueryKey({ user, mode: first.mode });
    if (client.getQueryData(key) === undefined) client.setQueryData(key, listOf(first.page));
  });
  const { settle } = useFeedback();
  const { settle: settleFollows } = useFollows();
  const beforeFirstPage = useCallback(async () => {
    await Promise.all([flush(FLUSH_TIMEOUT_MS), settle(FLUSH_TIMEOUT_MS), settleFollows(FLUSH_TIMEOUT_MS)]);
  }, [flush, settle, settleFollows]);
  const feed = useFeed<PostWithUser>({ mode, user, beforeFirstPage });
  const { announce, announcer } = useAnnouncer();
  const recovery = useRecovery(feed, mode === first?.mode ? first.rankedPage : null);

  const cursor = feed.lastPage?.nextCursor ?? feed.lastPage?.rewindCursor ?? null;
  const loadNewList = async () => {
    scrollTo({ top: 0 });
    await feed.refresh();
  };
  usePullToRefresh(() => void loadNewList());
  const showMode = (shown: FeedMode) => {
    scrollTo({ top: 0 });
    history.replaceState(null, "", feedPath(shown));
  };

  return (
    <div
      className="feed-column border-y border-line bg-raised md:rounded-card md:border-x"
      data-source={feed.lastPage?.source}
      data-status={feed.status}
      data-pull-to-refresh
    >
      <div className="sticky top-0 z-10 flex items-center justify-between gap-2 border-b border-line bg-raised/90 p-2 backdrop-blur-md md:rounded-t-card md:px-3">
        <ModeSwitch mode={mode} onChange={showMode} />
        <IconButton label="Load a new list" onClick={() => void loadNewList()}>
          <RotateCw size={20} />
        </IconButton>
      </div>
      <div role="status" className="sticky top-16 z-9 h-0 text-center">
        {recovery.showRanked ? (
          <button
            type="button"
            className="mt-2.5 h-9 rounded-full bg-ink px-4.5 text-sm font-semibold text-paper shadow-overlay"
            onClick={() => void recovery.showRanked?.()}
          >
            Show your feed
          </button>
        ) : (
          <NewPosts list={feed.entries[0]?.requestId ?? null} cursor={cursor} onShow={() => void loadNewList()} />
        )}
      </div>
      <SourceNote degraded={feed.lastPage?.degraded ?? false} recovery={recovery} />
      <OwnWritesOnDemand />
      {/* "Skip to the posts" leads past the header: the next Tab reaches the first post. */}
      <div id="main" className="scroll-mt-16">
        <ListPosition key={mode} list={`feed/${user}/${mode}`}>
          <List feed={feed} mode={mode} announce={announce} />
        </ListPosition>
      </div>
      {announcer}
    </div>
  );
}

/** Says what is missing. After the recovery its place stays empty, so that the posts below do not move. */
function SourceNote({ degraded, recovery }: { degraded: boolean; recovery: Recovery }) {
  let note = null;
  if (recovery.unavailable || recovery.recovered) {
    note = "Recommendations are temporarily unavailable. These are random posts.";
  } else if (degraded) {
    note = "Some information was unavailable, so this list may be less relevant than usual.";
  }
  return (
    <div
      role="status"
      className="source-note text-sm text-soft data-[over=true]:invisible data-[shown=true]:border-b data-[shown=true]:border-line data-[shown=true]:bg-sunken data-[shown=true]:px-gutter data-[shown=true]:py-2.5"
      data-shown={note !== null}
      data-over={recovery.recovered}
    >
      {note}
    </div>
  );
}

interface ListProps {
  feed: FeedState<PostWithUser>;
  mode: FeedMode;
  announce: (message: string) => void;
}

function List({ feed, mode, announce }: ListProps) {
  const dismissals = useDismissals();
  const { entries, status } = feed;

  if (status === "loading") return <Skeletons count={5} label="Loading your feed" />;
  if (status === "unreachable") {
    return (
      <Notice
        title="The feed is temporarily unavailable"
        alert
        action={<Button onClick={feed.retryNow}>Try now</Button>}
      >
        The page tries again automatically. Your likes, comments and shares are not lost.
      </Notice>
    );
  }
  if (status === "empty" && !feed.caughtUp) {
    return <Notice title={EMPTY_NOTICE[mode].title}>{EMPTY_NOTICE[mode].text}</Notice>;
  }

  const firstSeenIndex = feed.firstSeenIndex ?? entries.length;
  const isEntryListed = ({ post }: (typeof entries)[number]) => isListed(post, dismissals);
  const unseen = entries.slice(0, firstSeenIndex).filter(isEntryListed);
  const seen = entries.slice(firstSeenIndex).filter(isEntryListed);
  const item = ({ post, requestId }: (typeof entries)[number], index: number) => (
    <PostEntry key={post.id} post={post} requestId={requestId} position={index + 1} announce={announce} />
  );
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it hears the keys that posts leave to their list
    <div onKeyDown={moveBetweenPosts}>
      <div role="feed" aria-label="Posts" aria-busy={feed.fetchingMore}>
        {unseen.map(item)}
      </div>
      {(feed.caughtUp || feed.firstSeenIndex !== null) && <CaughtUp onShowSeen={feed.showSeen} />}
      {seen.length > 0 && (
        <div role="feed" aria-label="Posts you've already seen" aria-busy={feed.fetchingMore}>
          {seen.map((entry, index) => item(entry, unseen.length + index))}
        </div>
      )}
      <Continuation feed={feed} />
    </div>
  );
}

/** The end of the list: the next page, an error or a final message. */
function Continuation({ feed }: { feed: FeedState<PostWithUser> }) {
  const { hasMore, fetchMore, fetchingMore, retrying } = feed;
  const sentinel = useRef<HTMLDivElement>(null);
  useNearScreen(sentinel, fetchMore, feed.entries.length, hasMore && !retrying && !feed.outdated);

  if (feed.outdated) {
    return (
      <Notice
        title="This list is outdated"
        alert
        action={<Button onClick={() => location.reload()}>Load a new list</Button>}
      >
        Another user may have signed in since it was loaded.
      </Notice>
    );
  }
  if (retrying) {
    return (
      <Notice
        title="More posts are temporarily unavailable"
        alert
        action={<Button onClick={feed.retryNow}>Try now</Button>}
      >
        The page tries again automatically.
      </Notice>
    );
  }
  if (hasMore) {
    return (
      <div ref={sentinel} className="text-center">
        {fetchingMore ? (
          <Skeletons count={2} label="Loading more posts" />
        ) : (
          <Button className="my-7" onClick={fetchMore}>
            More posts
          </Button>
        )}
      </div>
    );
  }
  return feed.caughtUp ? null : <p className="px-6 py-11 text-center text-soft">You have reached the end.</p>;
}

function CaughtUp({ onShowSeen }: { onShowSeen: (() => void) | null }) {
  return (
    <section className="border-b border-line bg-sunken px-6 py-11 text-center" aria-label="End of new posts">
      <h2 className="mb-3.5 text-lg font-bold">You are all caught up</h2>
      {onShowSeen ? (
        <Button onClick={onShowSeen}>Show posts I've already seen</Button>
      ) : (
        <p className="text-sm text-soft">You've already seen the posts below.</p>
      )}
    </section>
  );
}
