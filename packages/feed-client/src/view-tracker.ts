import type { EventQueue } from "./event-queue";
import type { FeedEvent } from "./types";

export interface ViewTrackerOptions {
  queue: EventQueue;
  /** How long a post must be on screen before that counts as a view. */
  viewAfterMs?: number;
  /** The share of the post, or of the screen for a post taller than it, that counts as on screen. */
  visibleShare?: number;
  now?: () => number;
}

interface Watched {
  postId: string;
  requestId: string | null;
  visibleSince: number | null;
  dwellMs: number;
  view: FeedEvent | null;
  settled: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Turns what is on screen into one `view` event for each post, with its dwell time. The event is stored as soon as
 * the view counts, and sent with the whole dwell time when the post scrolls away or the page is left.
 */
export class ViewTracker {
  private readonly watched = new Map<Element, Watched>();
  private readonly viewed = new Set<string>();
  private readonly observer: IntersectionObserver;
  private readonly viewAfterMs: number;
  private readonly now: () => number;

  constructor(private readonly options: ViewTrackerOptions) {
    const share = options.visibleShare ?? 0.5;
    this.viewAfterMs = options.viewAfterMs ?? 1000;
    this.now = options.now ?? Date.now;
    this.observer = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          const screen = entry.rootBounds?.height ?? 0;
          const fills = screen > 0 && entry.intersectionRect.height >= screen * share;
          this.seen(entry.target, entry.isIntersecting && (entry.intersectionRatio >= share || fills));
        }
      },
      { threshold: [0, 0.1, 0.25, share, 0.75, 1] },
    );
  }

  /** Watches one post's element; returns how to stop. */
  watch(element: Element, postId: string, requestId: string | null): () => void {
    if (this.viewed.has(postId)) return () => undefined;
    this.watched.set(element, {
      postId,
      requestId,
      visibleSince: null,
      dwellMs: 0,
      view: null,
      settled: false,
      timer: undefined,
    });
    this.observer.observe(element);
    return () => {
      this.seen(element, false);
      this.observer.unobserve(element);
      this.watched.delete(element);
    };
  }

  /** Ends every dwell time now: the page is hidden or left. */
  settleAll(): void {
    for (const element of this.watched.keys()) this.seen(element, false);
  }

  private seen(element: Element, visible: boolean): void {
    const post = this.watched.get(element);
    if (!post || post.settled) return;
    if (visible && post.visibleSince === null) {
      post.visibleSince = this.now();
      post.timer = setTimeout(() => this.count(post), Math.max(0, this.viewAfterMs - post.dwellMs));
    } else if (!visible && post.visibleSince !== null) {
      clearTimeout(post.timer);
      post.dwellMs += this.now() - post.visibleSince;
      post.visibleSince = null;
      if (post.view) {
        post.settled = true;
        this.options.queue.settle({ ...post.view, metadata: { dwell_time_ms: Math.round(post.dwellMs) } });
      }
    }
  }

  private count(post: Watched): void {
    if (post.view || this.viewed.has(post.postId)) return;
    this.viewed.add(post.postId);
    post.view = this.options.queue.draft({
      post_id: post.postId,
      interaction_type: "view",
      request_id: post.requestId,
      metadata: { dwell_time_ms: Math.round(post.dwellMs + this.now() - (post.visibleSince ?? this.now())) },
    });
  }
}
