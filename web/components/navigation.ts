import { Gauge, Heart, History, House, type LucideIcon } from "lucide-react";
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

/** The pages of the navigation, in order. */
export function navigationEntries(): NavigationEntry[] {
  const entries: NavigationEntry[] = [
    { href: "/", label: "Home", icon: House, inBar: true },
    { href: "/seen", label: "Recently seen", icon: History, inBar: false },
    { href: "/likes", label: "Likes", icon: Heart, inBar: false },
  ];
  if (config.operatorPage) entries.push({ href: "/operator", label: "Operator", icon: Gauge, inBar: false });
  return entries;
}
