"use client";

import { useEffect } from "react";
import { useEvents } from "./events-provider";

/** Loads the whole page again if it was rendered for another user than the pages before, as after a switch in a tab. */
export function SameUser({ id }: { id: string }) {
  const isOther = useEvents().user !== id;
  useEffect(() => {
    if (isOther) location.reload();
  }, [isOther]);
  return null;
}
