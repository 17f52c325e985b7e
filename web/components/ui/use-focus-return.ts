"use client";

import { type RefObject, useRef } from "react";

/**
 * Handlers for the content of a menu or popover. The focus returns to its button, except after a click on something
 * else. A click on the button itself closes it, and does not open it again.
 */
export function useFocusReturn(button: RefObject<HTMLElement | null>) {
  const clickedElsewhere = useRef(false);
  return {
    onInteractOutside: (event: CustomEvent<{ originalEvent: Event }>) => {
      if (button.current?.contains(event.target as Node)) event.preventDefault();
      else clickedElsewhere.current = true;
    },
    onCloseAutoFocus: (event: Event) => {
      event.preventDefault();
      if (!clickedElsewhere.current) button.current?.focus({ preventScroll: true });
    },
  };
}
