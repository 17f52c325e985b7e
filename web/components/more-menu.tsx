"use client";

import { Ellipsis } from "lucide-react";
import { NAVIGATION_ITEM, NavigationLabel } from "./navigation-item";
import { cn } from "./ui/cn";
import { useOverlay } from "./ui/overlay-trigger";

const loadContent = () => import("./ui/menu-content").then((module) => module.MenuContent);

/** The pages that have no room in the bar of a phone. */
export function MoreMenu({ entries }: { entries: { href: string; label: string }[] }) {
  const { anchor, close, triggerProps, Content } = useOverlay("menu", loadContent);
  return (
    <>
      <button type="button" className={cn(NAVIGATION_ITEM, "md:hidden")} {...triggerProps}>
        <Ellipsis />
        <NavigationLabel>More</NavigationLabel>
      </button>
      {Content && <Content label="More pages" entries={entries} anchor={anchor} onClose={close} />}
    </>
  );
}
