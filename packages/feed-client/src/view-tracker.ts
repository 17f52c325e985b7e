import type { EventQueue } from "./event-queue.ts";
import type { FeedEvent } from "./types.ts";

export interface ViewTrackerOptions {
  queue: EventQueue;
  /** A post must be on screen for this long to count as viewed. Default: 1000. */
  viewAfterMs?: number;
  /** A post is on screen if this fraction of it is visible, or if it fills this fraction of the screen. Default: 0.5. */
  visibleFraction?: number;
  /** Is called each time that a watched post comes on screen, also for less than `viewAfterMs`. */
  onVisible?: (postId: string, requestId: string | null) => void;
  now?: () => number;
}

interface WatchedPost {
  postId: string;
  requestId: string | null;
  visibleSinceMs: number | null;
  dwellMs: number;
  view: FeedEvent | null;
  finalized: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Records one `view` event with its dwell time for each post that was on screen. The event is stored as a draft as soon
 * as the post counts as viewed. It is finalized when the post leaves the screen or the page is closed.
 */
export class ViewTracker {
  private readonly watchedPosts = new Map<Element, WatchedPost>();
  private readonly viewedPostIds = new Set<string>();
  private readonly observer: IntersectionObserver;
  private readonly viewAfterMs: number;
  private readonly now: () => number;

  constructor(private readonly options: ViewTrackerOptions) {
    const fraction = options.visibleFraction ?? 0.5;
    this.viewAfterMs = options.viewAfterMs ?? 1000;
    this.now = options.now ?? Date.now;
    this.observer = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          const screenHeight = entry.rootBounds?.height ?? 0;
          const fillsScreen = screenHeight > 0 && entry.intersectionRect.height >= screenHeight * fraction;
          this.update(entry.target, entry.isIntersecting && (entry.intersectionRatio >= fraction || fillsScreen));
        }
      },
      { threshold: [0, 0.1, 0.25, fraction, 0.75, 1] },
    );
  }

  /** Starts to watch the element of a post. Returns a function that stops it. */
  watch(element: Element, postId: string, requestId: string | null): () => void {
    this.watchedPosts.set(element, {
      postId,
      requestId,
      visibleSinceMs: null,
      dwellMs: 0,
      view: null,
      finalized: false,
      timer: undefined,
    });
    this.observer.observe(element);
    return () => {
      this.update(element, false);
      this.observer.unobserve(element);
      this.watchedPosts.delete(element);
    };
  }

  /** Finalizes all views. Call it when the page is hidden or closed. */
  finalizeAll(): void {
    for (const element of this.watchedPosts.keys()) this.update(element, false);
  }

  private update(element: Element, visible: boolean): void {
    const post = this.watchedPosts.get(element);
    if (!post) return;
    if (visible && post.visibleSinceMs === null) this.options.onVisible?.(post.postId, post.requestId);
    if (post.finalized) return;
    if (visible && post.visibleSinceMs === null) {
      post.visibleSinceMs = this.now();
      post.timer = setTimeout(() => this.startView(post), Math.max(0, this.viewAfterMs - post.dwellMs));
    } else if (!visible && post.visibleSinceMs !== null) {
      clearTimeout(post.timer);
      post.dwellMs += this.now() - post.visibleSinceMs;
      post.visibleSinceMs = null;
      if (post.view) {
        post.finalized = true;
        this.options.queue.finalize({ ...post.view, metadata: { dwell_time_ms: Math.round(post.dwellMs) } });
      }
    }
  }

  private startView(post: WatchedPost): void {
    if (post.view || this.viewedPostIds.has(post.postId)) return;
    this.viewedPostIds.add(post.postId);
    post.view = this.options.queue.draft({
      post_id: post.postId,
      interaction_type: "view",
      request_id: post.requestId,
      metadata: { dwell_time_ms: Math.round(post.dwellMs + this.now() - (post.visibleSinceMs ?? this.now())) },
    });
  }
}
