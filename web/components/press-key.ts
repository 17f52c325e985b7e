import { SHORTCUTS } from "./shortcut-list";

/** Runs the action of a pressed key, except in text fields, menus and dialogs. */
export function pressKey(event: KeyboardEvent): void {
  const shortcut = SHORTCUTS.find(({ key }) => key === event.key);
  const target = event.target as HTMLElement;
  if (!shortcut || event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.closest("input, textarea, select, [role=dialog], [role=menu]")) return;
  if (shortcut.key === "j" || shortcut.key === "k") {
    // Inside the list, the list itself handles the key.
    const posts = [...document.querySelectorAll<HTMLElement>("article")];
    posts.find((post) => post.getBoundingClientRect().bottom > 0)?.focus();
    return;
  }
  const place: ParentNode | null = shortcut.onPost ? target.closest("article") : document;
  place?.querySelector<HTMLElement>(`[aria-keyshortcuts="${shortcut.key}"]`)?.click();
}
