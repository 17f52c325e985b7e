"use client";

import Link from "next/link";
import { useId, useRef } from "react";
import { MoreIcon } from "./icons";
import { placeBelow } from "./place-popover";

/** Further actions for a post. Hide, mute and follow belong here once the service supports them. */
export function PostMenu({ href, onCopy, onOpen }: { href: string; onCopy: () => void; onOpen: () => void }) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  return (
    <>
      <button ref={button} type="button" className="icon-button post-menu" popoverTarget={id} aria-label="More">
        <MoreIcon />
      </button>
      <div
        ref={menu}
        id={id}
        popover="auto"
        className="popover menu"
        onToggle={(event) => {
          if (event.newState === "open") placeBelow(event.currentTarget, button.current);
        }}
      >
        <button
          type="button"
          onClick={() => {
            menu.current?.hidePopover();
            onCopy();
          }}
        >
          Copy link
        </button>
        <Link href={href} prefetch={false} onClick={onOpen}>
          Open post
        </Link>
      </div>
    </>
  );
}
