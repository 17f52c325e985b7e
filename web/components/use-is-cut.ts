"use client";

import { type RefObject, useEffect, useState } from "react";

let observer: ResizeObserver | null = null;
const listeners = new Map<Element, () => void>();

/** Whether an element hides a part of its content, measured while `isWatched`. The last value stays after that. */
export function useIsCut(element: RefObject<HTMLElement | null>, isWatched: boolean): boolean {
  const [isCut, setIsCut] = useState(false);
  useEffect(() => {
    const watched = element.current;
    if (!watched || !isWatched) return;
    // The browser calls an observer after the layout, so that measuring needs none of its own.
    observer ??= new ResizeObserver((entries) => {
      for (const { target } of entries) listeners.get(target)?.();
    });
    listeners.set(watched, () => setIsCut(watched.scrollHeight > watched.clientHeight + 1));
    observer.observe(watched);
    return () => {
      observer?.unobserve(watched);
      listeners.delete(watched);
      if (listeners.size === 0) observer = null;
    };
  }, [element, isWatched]);
  return isCut;
}
