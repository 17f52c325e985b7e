"use client";

import { SHORTCUTS, type Shortcut } from "./shortcut-list";
import { DialogContent } from "./ui/dialog-content";

/** The keys of the application with their meanings. */
export function ShortcutDialog({ onClose }: { onClose: () => void }) {
  return (
    <DialogContent title="Keyboard shortcuts" onClose={onClose}>
      <dl className="grid">
        {SHORTCUTS.filter(isAvailable).map(({ key, description }) => (
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
    </DialogContent>
  );
}

/** Whether the page has what the key presses. A post has all of its controls. */
function isAvailable({ key, onPost = false }: Shortcut): boolean {
  return onPost || key === "j" || key === "k" || document.querySelector(`[aria-keyshortcuts="${key}"]`) !== null;
}
