"use client";

import { type RefObject, useEffect, useState } from "react";

/** An element within this distance above or below the screen is near it. */
export const NEAR_SCREEN_PX = 1000;

type Listener = (entry: IntersectionObserverEntry) => void;

let observer: IntersectionObserver | null = null;
const listeners = new WeakMap<Element, Listener>();

/**
 * The height in pixels of an element that is far from the screen, and null while it is near. It is the height that the
 * element had when it was near, and before that `initialHeightPx`. Lists render far elements in a cheap form.
 */
export function useFarHeight(element: RefObject<HTMLElement | null>, initialHeightPx: number | null): number | null {
  const [farHeightPx, setFarHeightPx] = useState(initialHeightPx);
  useEffect(() => {
    if (!element.current) return;
    return observe(element.current, ({ isIntersecting, boundingClientRect }) =>
      setFarHeightPx((previous) => (isIntersecting ? null : (previous ?? boundingClientRect.height))),
    );
  }, [element]);
  return farHeightPx;
}

/** Calls the listener when the element comes near the screen or leaves its surroundings. Returns a function that stops. */
function observe(element: Element, listener: Listener): () => void {
  observer ??= new IntersectionObserver(
    (entries) => {
      for (const entry of entries) listeners.get(entry.target)?.(entry);
    },
    { rootMargin: `${NEAR_SCREEN_PX}px 0px` },
  );
  listeners.set(element, listener);
  observer.observe(element);
  return () => {
    observer?.unobserve(element);
    listeners.delete(element);
  };
}
