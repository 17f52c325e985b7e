"use client";

import { type RefObject, useCallback, useRef, useState } from "react";
import { useLoadOnFirstUse } from "./load-on-first-use";

/** The properties of the button that opens a menu or a popover. */
export interface OverlayTriggerProps {
  ref: RefObject<HTMLButtonElement | null>;
  "aria-haspopup": "menu" | "dialog";
  "aria-expanded": boolean;
  onClick: () => void;
  onPointerEnter: () => void;
  onFocus: () => void;
}

/** The state of a menu or a popover whose content is loaded when the user is about to open it. */
export function useOverlay<T>(kind: "menu" | "dialog", load: () => Promise<T>) {
  const anchor = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const close = useCallback(() => setOpen(false), []);
  const Content = useLoadOnFirstUse(open, load, close);
  const preload = () => void load().catch(() => undefined);
  const triggerProps: OverlayTriggerProps = {
    ref: anchor,
    "aria-haspopup": kind,
    "aria-expanded": open && Content !== null,
    onClick: () => setOpen((previous) => !previous),
    onPointerEnter: preload,
    onFocus: preload,
  };
  return { anchor, close, triggerProps, Content: open ? Content : null };
}
