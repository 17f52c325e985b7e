"use client";

import { useCallback, useRef, useState } from "react";

const VISIBLE_MS = 2500;

/** A short message at the edge of the screen. Screen readers announce it, and it disappears after a moment. */
export function useAnnouncer() {
  const [message, setMessage] = useState("");
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const announce = useCallback((text: string) => {
    clearTimeout(timer.current);
    setMessage(text);
    timer.current = setTimeout(() => setMessage(""), VISIBLE_MS);
  }, []);
  const announcer = (
    <div className="toast" role="status" data-shown={message !== ""}>
      {message}
    </div>
  );
  return { announce, announcer };
}
