"use client";

import { useCallback, useRef, useState } from "react";

const SHOWN_MS = 2500;

/** A short message: seen at the edge of the screen, heard by a screen reader, gone after a moment. */
export function useAnnouncer() {
  const [message, setMessage] = useState("");
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const say = useCallback((text: string) => {
    clearTimeout(timer.current);
    setMessage(text);
    timer.current = setTimeout(() => setMessage(""), SHOWN_MS);
  }, []);
  const announcer = (
    <div className="toast" role="status" data-shown={message !== ""}>
      {message}
    </div>
  );
  return { say, announcer };
}
