"use client";

import { Command } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import { NAVIGATION_ITEM, NavigationLabel } from "./navigation-item";
import { cn } from "./ui/cn";
import { useLoadOnFirstUse } from "./ui/load-on-first-use";

const loadDialog = () => import("./shortcut-dialog").then((module) => module.ShortcutDialog);

/** The keys of the application, and the button that lists them. Phones have no keys. */
export function Shortcuts() {
  const [open, setOpen] = useState(false);
  const close = useCallback(() => setOpen(false), []);
  const Content = useLoadOnFirstUse(open, loadDialog, close);
  useEffect(() => {
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, []);
  return (
    <>
      <button
        type="button"
        aria-haspopup="dialog"
        aria-keyshortcuts="?"
        className={cn(NAVIGATION_ITEM, "max-md:hidden")}
        onClick={() => setOpen(true)}
      >
        <Command />
        <NavigationLabel>Shortcuts</NavigationLabel>
      </button>
      {open && Content && <Content onClose={close} />}
    </>
  );
}

/** Keys with a character that nothing else has handled. */
async function onKeyDown(event: KeyboardEvent): Promise<void> {
  if (event.key.length > 1 || event.defaultPrevented) return;
  const { pressKey } = await import("./press-key");
  pressKey(event);
}
