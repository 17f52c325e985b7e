"use client";

import { usePathname } from "next/navigation";
import type { ReactNode } from "react";
import { NAVIGATION_ITEM } from "./navigation-item";
import { cn } from "./ui/cn";

interface NavigationLinkProps {
  href: string;
  label: string;
  /** The key that opens the page. */
  shortcut?: string;
  className?: string;
  children: ReactNode;
}

/** A link of the navigation, marked while its page is open. */
export function NavigationLink({ href, label, shortcut, className, children }: NavigationLinkProps) {
  return (
    <a
      href={href}
      title={label}
      aria-keyshortcuts={shortcut}
      aria-current={usePathname() === href ? "page" : undefined}
      className={cn(NAVIGATION_ITEM, className)}
    >
      {children}
    </a>
  );
}
