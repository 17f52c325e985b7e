"use client";

import { SHORTCUTS } from "./shortcut-list";
import { DialogContent } from "./ui/dialog-content";

/** The keys of the application with their meanings. */
export function ShortcutDialog({ onClose }: { onClose: () => void }) {
  return (
    <DialogContent title="Keyboard shortcuts" onClose={onClose}>
      <dl className="grid">
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
    </DialogContent>
  );
}
