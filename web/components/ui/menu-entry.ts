import type { ComponentType } from "react";

/** One line of a menu. */
export interface MenuEntry {
  label: string;
  icon?: ComponentType<{ size?: number }>;
  /** The page that the entry opens; without it, the entry is an action. */
  href?: string;
  onSelect?: () => void;
  /** Whether the entry takes something away. */
  danger?: boolean;
}
