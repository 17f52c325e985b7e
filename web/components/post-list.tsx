"use client";

import { useInfiniteQuery } from "@tanstack/react-query";
import { Fragment, useCallback, useMemo, useRef } from "react";
import type { ListedPost, PostListName, PostListPage } from "@/lib/feed/post-list";
import { useAnnouncer } from "./announcer";
import { isListed } from "./dismissals";
import { useEvents } from "./events-provider";
import { useDismissals } from "./feedback-provider";
import { ListPosition } from "./list-position";
import { moveBetweenPosts } from "./move-between-posts";
import { Notice } from "./notice";
import { PostEntry } from "./post-entry";
import { pathOf } from "./post-link";
import { Skeletons } from "./skeletons";
import { Button, ButtonLink } from "./ui/button";
import { useNearScreen } from "./use-near-screen";
import { isWrittenHere } from "./writing/write";
import { useWriteStates } from "./writing/writes-provider";

const RETRY_DELAY_MS = 300;
const NO_PARAMETERS = {};

interface PostListProps {
  name: PostListName;
  /** The page that the server has read. */
  first: PostListPage;
  /** What assistive technology calls the list. */
  label: string;
  /** The notice in place of an empty list. */
  empty: { title: string; text: string };
  /** The parameters in the address of the page, which the link to its next page keeps. */
  parameters?: Record<string, string>;
}

/**
 * A list of posts that the server has begun; the browser requests the rest. Without JavaScript, "More posts" is a link to
 * the page of the list that follows.
 */
export function PostList({ name, first, label, empty, parameters = NO_PARAMETERS }: PostListProps) {
  const { announce, announcer } = useAnnouncer();
  const dismissals = useDismissals();
  const { user } = useEvents();
  const list = useRestOfList(name, first, user);
  const states = useWriteStates((all) => all);
  // A reply that the user has just written is beside the form.
  const isBesideForm = ({ id }: ListedPost) => name.list.endsWith("replies") && isWrittenHere(states, id);
  const posts = list.posts.filter((post) => isListed(post, dismissals) && !isBesideForm(post));

  if (posts.length === 0 && list.nextCursor === null) return <Notice title={empty.title}>{empty.text}</Notice>;
  return (
    <ListPosition list={`posts/${user}/${name.list}/${name.of}`}>
      <div role="feed" aria-label={label} aria-busy={list.isFetching} onKeyDown={moveBetweenPosts}>
        {posts.map((post, index) => (
          <Fragment key={post.id}>
            <PostEntry post={post} requestId={null} position={index + 1} announce={announce} />
            {post.replies && <NestedReplies parent={post} replies={post.replies} announce={announce} />}
          </Fragment>
        ))}
      </div>
      <Continuation list={list} parameters={parameters} />
      {announcer}
    </ListPosition>
  );
}

interface NestedRepliesProps {
  parent: ListedPost;
  replies: NonNullable<ListedPost["replies"]>;
  announce: (message: string) => void;
}

/** The first replies to a reply, and a link to the others. */
function NestedReplies({ parent, replies, announce }: NestedRepliesProps) {
  const dismissals = useDismissals();
  return (
    <div className="border-b border-line pl-4 [&>article]:border-b-0 md:pl-8">
      {replies.posts
        .filter((post) => isListed(post, dismissals))
        .map((post) => (
          <PostEntry key={post.id} post={post} requestId={null} announce={announce} />
        ))}
      {replies.hasMore && (
        <a href={pathOf(parent)} className="block px-gutter pb-3 text-sm font-semibold hover:underline">
          Show more replies
        </a>
      )}
    </div>
  );
}

interface RestOfList {
  posts: ListedPost[];
  nextCursor: string | null;
  isFetching: boolean;
  hasFailed: boolean;
  fetchMore: () => void;
}

/** The posts of all pages, each once. A page that the server has read again starts a new list. */
function useRestOfList(name: PostListName, first: PostListPage, user: string): RestOfList {
  const query = useInfiniteQuery({
    queryKey: ["posts", user, name.list, name.of, first.readAt],
    queryFn: ({ pageParam, signal }) => fetchPage(name, pageParam, signal),
    initialPageParam: null as string | null,
    initialData: { pages: [first], pageParams: [null] },
    getNextPageParam: (page) => page.nextCursor,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY, // a return shows the same list
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    networkMode: "always",
    retry: 2,
    retryDelay: RETRY_DELAY_MS,
  });
  const { pages } = query.data;
  const posts = useMemo(
    () => [...new Map(pages.flatMap((page) => page.posts.map((post) => [post.id, post]))).values()],
    [pages],
  );
  const { fetchNextPage, isFetching, isError } = query;
  const fetchMore = useCallback(() => {
    if (!isFetching) void fetchNextPage();
  }, [fetchNextPage, isFetching]);
  return { posts, nextCursor: pages.at(-1)?.nextCursor ?? null, isFetching, hasFailed: isError, fetchMore };
}

/** The next page, an error, or the end of the list. */
function Continuation({ list, parameters }: { list: RestOfList; parameters: Record<string, string> }) {
  const { nextCursor, isFetching, hasFailed, fetchMore } = list;
  const end = useRef<HTMLDivElement>(null);
  useNearScreen(end, fetchMore, list.posts.length, nextCursor !== null && !hasFailed);

  if (hasFailed) {
    return (
      <Notice
        title="More posts are temporarily unavailable"
        alert
        action={<Button onClick={fetchMore}>Try now</Button>}
      >
        The posts above stay as they are.
      </Notice>
    );
  }
  if (nextCursor === null) return <p className="px-6 py-11 text-center text-soft">You have reached the end.</p>;
  return (
    <div ref={end} className="text-center">
      {isFetching ? (
        <Skeletons count={2} label="Loading more posts" />
      ) : (
        <ButtonLink
          className="my-7"
          href={`?${new URLSearchParams({ ...parameters, cursor: nextCursor })}`}
          onClick={(event) => {
            event.preventDefault();
            fetchMore();
          }}
        >
          More posts
        </ButtonLink>
      )}
    </div>
  );
}

async function fetchPage(name: PostListName, cursor: string | null, signal: AbortSignal): Promise<PostListPage> {
  const response = await fetch(`/api/posts?${new URLSearchParams({ ...name, cursor: cursor ?? "" })}`, { signal });
  if (!response.ok) throw new Error(`GET /api/posts: status ${response.status}`);
  return (await response.json()) as PostListPage;
}
