"use client";

import { useEffect, useEffectEvent } from "react";

/** Calls `onRefresh` when the user pulls the page down with a finger at its top. */
export function usePullToRefresh(onRefresh: () => void): void {
  const refresh = useEffectEvent(onRefresh);
  useEffect(() => {
    const onTouchStart = ({ touches }: TouchEvent) => {
      const [finger, second] = touches;
      if (!finger || second || scrollY > 0) return;
      const startPx = finger.clientY;
      void import("./pull-to-refresh").then(({ followPull }) => followPull(startPx, refresh));
    };
    addEventListener("touchstart", onTouchStart, { passive: true });
    return () => removeEventListener("touchstart", onTouchStart);
  }, []);
}
