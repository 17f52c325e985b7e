import type { ComponentProps, ReactNode } from "react";
import { Notice } from "@/components/notice";
import { PageHeader } from "@/components/page-header";
import { PostList } from "@/components/post-list";
import { SameUser } from "@/components/same-user";
import { InvalidFeedCursor } from "@/lib/feed/cursor";
import { pendingWrites } from "@/lib/feed/pending-writes";
import type { PostListName, PostListPage } from "@/lib/feed/post-list";
import { DatabaseUnavailable, QueryTimeout } from "@/lib/platform/database";
import { findPostList } from "@/lib/repositories/post-list.repository";

const POSTS = 20;
/** The page waits this long for events that the browser has sent at the same time. */
const PENDING_WRITES_MS = 300;

export interface ListPageProps {
  searchParams: Promise<{ cursor?: string | string[] }>;
}

interface PostsOfListProps extends ListPageProps, Omit<ComponentProps<typeof PostList>, "first"> {
  viewerId: string;
  /** Whether nothing takes the place of an empty list. */
  hiddenIfEmpty?: boolean;
  /** What is above the posts. */
  header?: ReactNode;
}

/** The posts of a list, from the place of the cursor in the address, as the HTML of a page has them. */
export async function PostsOfList({ viewerId, hiddenIfEmpty, header, searchParams, ...list }: PostsOfListProps) {
  const { cursor } = await searchParams;
  const first = await readFirstPage(viewerId, list.name, typeof cursor === "string" ? cursor : null);
  if (first === "timeout" && list.name.list === "search") {
    return <Notice title="The search took too long">Search for more words, or for rarer ones.</Notice>;
  }
  if (first === null || first === "timeout") {
    return <Notice title="The posts are temporarily unavailable">Please reload the page in a moment.</Notice>;
  }
  if (hiddenIfEmpty && first.posts.length === 0 && first.nextCursor === null) return null;
  return (
    <>
      {header}
      <SameUser id={viewerId} />
      <PostList {...list} first={first} />
    </>
  );
}

interface ListPageFrameProps {
  title: string;
  /** What is beside the title. */
  action?: ReactNode;
  children: ReactNode;
}

/** The frame of a page with a list of posts. */
export function ListPage({ title, action, children }: ListPageFrameProps) {
  return (
    <main id="main" className="mx-auto w-full max-w-176 min-w-0 md:pb-24">
      <PageHeader title={title}>{action}</PageHeader>
      <div className="feed-column border-y border-line bg-raised md:rounded-card md:border-x">{children}</div>
    </main>
  );
}

/** Null if no post can be read now. A cursor of another list is ignored. */
async function readFirstPage(
  userId: string,
  name: PostListName,
  cursor: string | null,
): Promise<PostListPage | "timeout" | null> {
  await pendingWrites.settle(userId, PENDING_WRITES_MS);
  try {
    return await findPostList(userId, name, cursor, POSTS);
  } catch (error) {
    if (error instanceof QueryTimeout) return "timeout";
    if (error instanceof DatabaseUnavailable) return null;
    if (error instanceof InvalidFeedCursor) return readFirstPage(userId, name, null);
    throw error;
  }
}
