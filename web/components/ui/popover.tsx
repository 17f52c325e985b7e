"use client";

import type { ReactNode } from "react";
import { type OverlayTriggerProps, useOverlay } from "./overlay-trigger";

export interface PopoverProps {
  label: string;
  className?: string;
  /** Renders the button. It passes the properties on to it. */
  trigger: (props: OverlayTriggerProps) => ReactNode;
  /** Renders the content while the popover is open. */
  children: (close: () => void) => ReactNode;
}

const loadContent = () => import("./popover-content").then((module) => module.PopoverContent);

/** A button with a small dialog next to it. Escape, and a click on something else, close it. */
export function Popover({ label, className, trigger, children }: PopoverProps) {
  const { anchor, close, triggerProps, Content } = useOverlay("dialog", loadContent);
  return (
    <>
      {trigger(triggerProps)}
      {Content && (
        <Content label={label} className={className} anchor={anchor} onClose={close}>
          {children(close)}
        </Content>
      )}
    </>
  );
}
