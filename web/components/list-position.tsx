"use client";

import { createContext, type ReactNode, useContext, useLayoutEffect, useRef, useState } from "react";
import { NEAR_SCREEN_PX } from "./near-screen";
import { tabHistory } from "./tab-history";

/** The place of a post in a list that the reader left. */
export interface LeftPost {
  heightPx: number;
  isNear: boolean;
}

/** What a list of posts looked like when the reader left its page. */
interface LeftList {
  posts: ReadonlyMap<string, LeftPost>;
  /** The first post on screen, and how far its top was from the top of the screen. */
  anchor: { postId: string; topPx: number } | null;
  focusedPostId: string | null;
}

const MAX_LEFT_LISTS = 20;
/** The lists that the reader left in this tab, by entry of the history and name, the last one at the end. */
const leftLists = new Map<string, LeftList>();
const NO_POSTS: LeftList["posts"] = new Map();
const Context = createContext(NO_POSTS);

/** The place that a post had in this list before the reader returned to it; undefined if the list is new. */
export function useLeftPost(postId: string): LeftPost | undefined {
  return useContext(Context).get(postId);
}

/**
 * A list of posts whose position is restored, before the first paint, when the reader returns to it through the history.
 * The heights of the posts are kept, so the position is right while posts far from the screen are not laid out.
 */
export function ListPosition({ list, children }: { list: string; children: ReactNode }) {
  const element = useRef<HTMLDivElement>(null);
  const [returned] = useState(() => leftLists.get(placeOf(list)) ?? null);

  useLayoutEffect(() => {
    const root = element.current;
    if (!root) return;
    if (returned) restore(root, returned);
    const place = placeOf(list);
    let positionPx = scrollY;
    // When the reader moves through the history, the browser scrolls before this page goes.
    const onScroll = () => {
      if (placeOf(list) === place) positionPx = scrollY;
    };
    addEventListener("scroll", onScroll, { passive: true });
    return () => {
      removeEventListener("scroll", onScroll);
      leftLists.delete(place);
      leftLists.set(place, measure(root, scrollY - positionPx));
      for (const oldest of [...leftLists.keys()].slice(0, -MAX_LEFT_LISTS)) leftLists.delete(oldest);
    };
  }, [list, returned]);

  return (
    <Context.Provider value={returned?.posts ?? NO_POSTS}>
      <div ref={element}>{children}</div>
    </Context.Provider>
  );
}

/**
 * Identifies a visit of a list: the reader returns to the same entry of the history. Without the Navigation API, each
 * visit counts as a return. The router then scrolls a page to its top if a link led there.
 */
function placeOf(list: string): string {
  return `${tabHistory()?.currentEntry?.key} ${list}`;
}

/** `scrolledPx` is how far the page was scrolled since the reader left. */
function measure(root: HTMLElement, scrolledPx: number): LeftList {
  const posts = new Map<string, LeftPost>();
  let anchor: LeftList["anchor"] = null;
  for (const article of root.querySelectorAll<HTMLElement>("article[data-post]")) {
    const postId = article.dataset["post"] ?? "";
    const { top, height } = article.getBoundingClientRect();
    const topPx = top + scrolledPx;
    posts.set(postId, {
      heightPx: height,
      isNear: topPx + height > -NEAR_SCREEN_PX && topPx < innerHeight + NEAR_SCREEN_PX,
    });
    if (topPx + height > 0) anchor ??= { postId, topPx };
  }
  const focused = root.contains(document.activeElement) ? document.activeElement?.closest("article") : null;
  return { posts, anchor, focusedPostId: focused?.dataset["post"] ?? null };
}

function restore(root: HTMLElement, { anchor, focusedPostId }: LeftList): void {
  const find = (postId: string) => root.querySelector<HTMLElement>(`article[data-post="${CSS.escape(postId)}"]`);
  if (focusedPostId !== null) find(focusedPostId)?.focus({ preventScroll: true });
  const top = anchor && find(anchor.postId)?.getBoundingClientRect().top;
  if (top != null && anchor) scrollBy({ top: top - anchor.topPx, behavior: "instant" });
}
