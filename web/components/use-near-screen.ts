"use client";

import { type RefObject, useEffect } from "react";

/** The next posts are requested when the end of a list is this close to the screen. */
const DISTANCE = "1200px 0px";

/**
 * Calls `onNear` when the element is near the screen, and again after each change of `length` if it still is.
 * `isShown` is whether there is an element.
 */
export function useNearScreen(
  element: RefObject<HTMLElement | null>,
  onNear: () => void,
  length: number,
  isShown: boolean,
): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies(length): a new observer reports an element that is still near the screen after a page
  // biome-ignore lint/correctness/useExhaustiveDependencies(isShown): a new element needs a new observer
  useEffect(() => {
    if (!element.current) return;
    // The last entry holds the current state.
    const observer = new IntersectionObserver((entries) => entries.at(-1)?.isIntersecting && onNear(), {
      rootMargin: DISTANCE,
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element, onNear, length, isShown]);
}
