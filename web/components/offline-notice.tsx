"use client";

import { useEffect, useSyncExternalStore } from "react";

/** Says that the browser is offline. A page that cannot be loaded then says so itself, by the service worker. */
export function OfflineNotice() {
  const isOnline = useSyncExternalStore(
    watchConnection,
    () => navigator.onLine,
    () => true,
  );
  useEffect(() => {
    if (process.env.NODE_ENV !== "production") return;
    // Without the worker, the browser has a page of its own.
    navigator.serviceWorker?.register("/service-worker.js").catch(() => undefined);
  }, []);
  return (
    <div role="status" className="pointer-events-none fixed inset-x-2 top-2 z-30 text-center">
      {!isOnline && (
        <p className="mx-auto w-fit rounded-full bg-ink px-4.5 py-2 text-sm font-semibold text-paper shadow-overlay">
          You are offline. What you like and write is sent later.
        </p>
      )}
    </div>
  );
}

function watchConnection(onChange: () => void): () => void {
  addEventListener("online", onChange);
  addEventListener("offline", onChange);
  return () => {
    removeEventListener("online", onChange);
    removeEventListener("offline", onChange);
  };
}
