"use client";

import { Keyboard } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import { NAVIGATION_ITEM, NavigationLabel } from "./navigation-item";
import { SHORTCUTS } from "./shortcut-list";
import { cn } from "./ui/cn";
import { Dialog } from "./ui/dialog";

/** The keys of the application, and the button that lists them. Phones have no keys. */
export function Shortcuts() {
  const [open, setOpen] = useState(false);
  const close = useCallback(() => setOpen(false), []);
  useEffect(() => {
    document.addEventListener("keydown", pressKey);
    return () => document.removeEventListener("keydown", pressKey);
  }, []);
  return (
    <>
      <button
        type="button"
        aria-haspopup="dialog"
        aria-keyshortcuts="?"
        title="Keyboard shortcuts"
        className={cn(NAVIGATION_ITEM, "max-md:hidden")}
        onClick={() => setOpen(true)}
      >
        <Keyboard />
        <NavigationLabel>Keyboard shortcuts</NavigationLabel>
      </button>
      <Dialog open={open} onClose={close} title="Keyboard shortcuts">
        <dl className="grid gap-1">
          {SHORTCUTS.map(({ key, description }) => (
            <div key={key} className="flex items-center justify-between gap-4 border-t border-line py-1.5">
              <dt>{description}</dt>
              <dd>
                <kbd className="inline-grid h-7 min-w-7 place-items-center rounded-md border border-line bg-sunken px-2 text-sm">
                  {key}
                </kbd>
              </dd>
            </div>
          ))}
        </dl>
      </Dialog>
    </>
  );
}

function pressKey(event: KeyboardEvent): void {
  const shortcut = SHORTCUTS.find(({ key }) => key === event.key);
  if (!shortcut || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target as HTMLElement;
  if (target.closest("input, textarea, select, [contenteditable], [role=dialog], [role=menu]")) return;
  if (shortcut.key === "j" || shortcut.key === "k") {
    // Inside the list, the list itself handles the key.
    event.preventDefault();
    const posts = [...document.querySelectorAll<HTMLElement>("article")];
    posts.find((post) => post.getBoundingClientRect().bottom > 0)?.focus();
    return;
  }
  const place: ParentNode | null = shortcut.onPost ? target.closest("article") : document;
  const control = place?.querySelector<HTMLElement>(`[aria-keyshortcuts="${shortcut.key}"]`);
  if (!control) return;
  event.preventDefault();
  control.click();
}
