"use client";

import type { ReactNode } from "react";
import { useLoadOnFirstUse } from "./load-on-first-use";

export interface DialogProps {
  open: boolean;
  /** Called by Escape, by a click outside and by the button "Close". It is stable. */
  onClose: () => void;
  title: string;
  children: ReactNode;
}

const loadContent = () => import("./dialog-content").then((module) => module.DialogContent);

/** A modal dialog with a title and a button that closes it. On phones it is at the bottom of the screen. */
export function Dialog({ open, onClose, title, children }: DialogProps) {
  const Content = useLoadOnFirstUse(open, loadContent, onClose);
  if (!open || !Content) return null;
  return (
    <Content title={title} onClose={onClose}>
      {children}
    </Content>
  );
}
