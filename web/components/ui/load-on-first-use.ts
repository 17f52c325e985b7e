"use client";

import { useEffect, useState } from "react";

/**
 * What `load` returns, from the first time that it is wanted; null until it has arrived. Menus, popovers and dialogs are
 * not in the script of the first page. `onFailure` is called if the script cannot be loaded. Both functions are stable.
 */
export function useLoadOnFirstUse<T>(wanted: boolean, load: () => Promise<T>, onFailure: () => void): T | null {
  const [loaded, setLoaded] = useState<T | null>(null);
  useEffect(() => {
    if (!wanted || loaded !== null) return;
    let current = true;
    load().then(
      (result) => current && setLoaded(() => result),
      () => current && onFailure(),
    );
    return () => {
      current = false;
    };
  }, [wanted, loaded, load, onFailure]);
  return loaded;
}
