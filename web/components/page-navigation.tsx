"use client";

import { useRouter } from "next/navigation";
import { type MouseEvent as ReactMouseEvent, useEffect } from "react";

/**
 * Opens links to pages of the application in the present document, so that its lists and unsent events stay. A link is a
 * plain `<a>`: pages are not fetched in advance, because the service counts the posts of a feed as shown. A link with
 * `data-replace` takes the place of the page in the history, at the same position.
 */
export function PageNavigation() {
  const router = useRouter();
  useEffect(() => {
    // On the window, so that the handlers of components come first.
    const open = (event: MouseEvent) => {
      const link = event.target instanceof Element ? event.target.closest("a") : null;
      if (!link || !isPlainClick(event) || !leadsToPage(link)) return;
      event.preventDefault();
      const path = link.pathname + link.search + link.hash;
      if ("replace" in link.dataset) router.replace(path, { scroll: false });
      else router.push(path);
    };
    addEventListener("click", open);
    return () => removeEventListener("click", open);
  }, [router]);
  return null;
}

/** Whether a click opens a link in the same tab, and no handler has taken it. */
export function isPlainClick(event: MouseEvent | ReactMouseEvent): boolean {
  const { button, metaKey, ctrlKey, shiftKey, altKey, defaultPrevented } = event;
  return button === 0 && !metaKey && !ctrlKey && !shiftKey && !altKey && !defaultPrevented;
}

/** Whether a link leads to another page of the application: not to a route, another site, or a part of the same page. */
function leadsToPage(link: HTMLAnchorElement): boolean {
  if (link.origin !== location.origin || link.target !== "" || link.pathname.startsWith("/api/")) return false;
  const isSamePage = link.pathname === location.pathname && link.search === location.search;
  return !(isSamePage && link.hash !== "");
}
