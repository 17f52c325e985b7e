import { Gauge, Heart, History, House, type LucideIcon, Search, Settings, SquarePen, UserRound } from "lucide-react";
import { profilePath } from "@/lib/feed/profile";
import { config } from "@/lib/platform/config";

/** A page that can be reached from every other page. */
export interface NavigationEntry {
  href: string;
  label: string;
  icon: LucideIcon;
  /** Whether the entry is in the bar on phones, which has room for five. The others are in its menu "More". */
  inBar: boolean;
  /** The key that opens the page, as listed in `shortcut-list.ts`. */
  shortcut?: string;
}

/** The pages of the navigation, in order; `viewerId` is null without a session. */
export function navigationEntries(viewerId: string | null): NavigationEntry[] {
  const profile = { label: "Profile", icon: UserRound, inBar: true };
  return [
    { href: "/", label: "Home", icon: House, inBar: true },
    { href: "/compose", label: "New post", icon: SquarePen, inBar: true, shortcut: "n" },
    { href: "/search", label: "Search", icon: Search, inBar: true, shortcut: "/" },
    ...(viewerId === null ? [] : [{ href: profilePath(viewerId), ...profile }]),
    { href: "/seen", label: "Recently seen", icon: History, inBar: false },
    { href: "/likes", label: "Likes", icon: Heart, inBar: false },
    { href: "/settings", label: "Settings", icon: Settings, inBar: false },
    ...(config.operatorPage ? [{ href: "/operator", label: "Operator", icon: Gauge, inBar: false }] : []),
  ];
}
