"use client";

import { Menu as MenuIcon } from "lucide-react";
import { NAVIGATION_ITEM, NavigationLabel } from "./navigation-item";
import { cn } from "./ui/cn";
import { Menu } from "./ui/menu";

/** The pages that have no room in the bar of a phone. */
export function MoreMenu({ entries }: { entries: { href: string; label: string }[] }) {
  return (
    <Menu
      label="More pages"
      entries={entries}
      trigger={(trigger) => (
        <button type="button" className={cn(NAVIGATION_ITEM, "md:hidden")} {...trigger}>
          <MenuIcon />
          <NavigationLabel>More</NavigationLabel>
        </button>
      )}
    />
  );
}
