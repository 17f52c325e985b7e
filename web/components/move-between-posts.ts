import type { KeyboardEvent } from "react";

/**
 * Page Down and Page Up move the focus between the posts of the element that hears the key, as the ARIA feed pattern
 * recommends. So do j and k.
 */
export function moveBetweenPosts(event: KeyboardEvent<HTMLElement>): void {
  const target = event.target as HTMLElement;
  if (target.closest("input, textarea, [role=dialog], [role=menu]") || event.ctrlKey || event.metaKey || event.altKey)
    return;
  const step = { PageDown: 1, j: 1, PageUp: -1, k: -1 }[event.key];
  if (!step) return;
  const posts = [...event.currentTarget.querySelectorAll<HTMLElement>("article[tabindex]")];
  const next = posts[posts.findIndex((post) => post.contains(target)) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "start", behavior: "instant" });
}
