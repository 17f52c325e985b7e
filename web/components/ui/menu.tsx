"use client";

import type { ReactNode } from "react";
import type { MenuEntry } from "./menu-entry";
import { type OverlayTriggerProps, useOverlay } from "./overlay-trigger";

export interface MenuProps {
  label: string;
  entries: MenuEntry[];
  /** Renders the button. It passes the properties on to it. */
  trigger: (props: OverlayTriggerProps) => ReactNode;
}

const loadContent = () => import("./menu-content").then((module) => module.MenuContent);

/** A button with a menu. The arrow keys and first letters move between entries, and Escape closes it. */
export function Menu({ label, entries, trigger }: MenuProps) {
  const { anchor, close, triggerProps, Content } = useOverlay("menu", loadContent);
  return (
    <>
      {trigger(triggerProps)}
      {Content && <Content label={label} entries={entries} anchor={anchor} onClose={close} />}
    </>
  );
}
