/** A key with what it does. */
export interface Shortcut {
  key: string;
  description: string;
  /** Whether it presses a control of the post with the focus. */
  onPost?: boolean;
}

/**
 * The keys of the application. A key presses the button or link with the same `aria-keyshortcuts`: of the post with the
 * focus, else of the page.
 */
export const SHORTCUTS: readonly Shortcut[] = [
  { key: "j", description: "Next post" },
  { key: "k", description: "Previous post" },
  { key: "l", description: "Like the post, or take the like back", onPost: true },
  { key: "r", description: "Reply to the post", onPost: true },
  { key: "o", description: "Open the post", onPost: true },
  { key: "w", description: "Why this post", onPost: true },
  { key: "m", description: "More actions: hide, mute, follow", onPost: true },
  { key: "n", description: "Write a post" },
  { key: "/", description: "Search" },
  { key: "?", description: "This list" },
];
