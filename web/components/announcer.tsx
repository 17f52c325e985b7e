"use client";

import { useCallback, useRef, useState } from "react";
import { createStore, type StoreApi, useStore } from "zustand";
import { Toast } from "./ui/toast";

const VISIBLE_MS = 2500;

/** A short message at the edge of the screen. A new message renders only the announcer again, not its parent. */
export function useAnnouncer() {
  const [message] = useState(() => createStore(() => ({ text: "" })));
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const announce = useCallback(
    (text: string) => {
      clearTimeout(timer.current);
      message.setState({ text });
      timer.current = setTimeout(() => message.setState({ text: "" }), VISIBLE_MS);
    },
    [message],
  );
  return { announce, announcer: <Announcer message={message} /> };
}

/** Shows the message, which disappears after a moment. */
function Announcer({ message }: { message: StoreApi<{ text: string }> }) {
  return <Toast text={useStore(message).text} />;
}
