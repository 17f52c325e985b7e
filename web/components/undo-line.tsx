"use client";

import { type ComponentProps, useEffect, useId, useRef, useState } from "react";
import { Button } from "./ui/button";
import { cn } from "./ui/cn";

const UNDO_MS = 10_000;

interface UndoLineProps extends Omit<ComponentProps<"div">, "children"> {
  /** What was changed. */
  text: string;
  onUndo: () => Promise<void>;
  /** Called after ten seconds. The function is stable. */
  onExpire: () => void;
  announce: (message: string) => void;
}

/**
 * A line that says what was changed, with a button that takes it back. It stays for ten seconds, and for longer while
 * the keyboard focus is on it, so that keyboard users are not moved elsewhere.
 */
export function UndoLine({ text, onUndo, onExpire, announce, className, ...props }: UndoLineProps) {
  const button = useRef<HTMLButtonElement>(null);
  const textId = useId();
  const [timeIsUp, setTimeIsUp] = useState(false);

  useEffect(() => {
    // The menu that had the focus is gone.
    if (document.activeElement === document.body) button.current?.focus({ preventScroll: true });
    const timer = setTimeout(() => {
      if (button.current?.matches(":focus-visible")) setTimeIsUp(true);
      else onExpire();
    }, UNDO_MS);
    return () => clearTimeout(timer);
  }, [onExpire]);

  const undo = async () => {
    try {
      await onUndo();
    } catch {
      announce("This could not be undone. Please try again.");
    }
  };

  return (
    <div
      className={cn(
        "flex items-center justify-between gap-3 bg-sunken px-gutter py-3 wrap-anywhere text-soft",
        className,
      )}
      {...props}
    >
      <p id={textId}>{text}</p>
      <Button ref={button} aria-describedby={textId} onClick={() => void undo()} onBlur={() => timeIsUp && onExpire()}>
        Undo
      </Button>
    </div>
  );
}
