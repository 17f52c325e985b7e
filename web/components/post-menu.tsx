"use client";

import Link from "next/link";
import { useId, useRef } from "react";
import type { DismissalAction, FeedbackChoice } from "./dismissals";
import { MoreIcon } from "./icons";
import { placeBelow } from "./place-popover";

interface PostMenuProps {
  href: string;
  choices: FeedbackChoice[];
  /** The entry that follows or unfollows the author; null if there is none. */
  follow: { label: string; onChoose: () => void } | null;
  onCopy: () => void;
  onOpen: () => void;
  onFeedback: (action: DismissalAction) => void;
}

/** Further actions for a post. The arrow keys move between them, and Escape closes the menu. */
export function PostMenu({ href, choices, follow, onCopy, onOpen, onFeedback }: PostMenuProps) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLMenuElement>(null);
  const close = () => menu.current?.hidePopover();
  return (
    <>
      <button ref={button} type="button" className="icon-button post-menu" popoverTarget={id} aria-label="More actions">
        <MoreIcon />
      </button>
      <menu
        ref={menu}
        id={id}
        popover="auto"
        className="popover menu"
        aria-label="More actions"
        onToggle={(event) => {
          if (event.newState !== "open") return;
          placeBelow(event.currentTarget, button.current);
          actionsOf(event.currentTarget)[0]?.focus({ preventScroll: true });
        }}
        onKeyDown={(event) => {
          const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
          if (!step) return;
          event.preventDefault();
          const actions = actionsOf(event.currentTarget);
          const current = actions.findIndex((action) => action === document.activeElement);
          actions.at((current + step) % actions.length)?.focus();
        }}
      >
        {choices.map(({ action, label }) => (
          <li key={action}>
            <button
              type="button"
              onClick={() => {
                close();
                onFeedback(action);
              }}
            >
              {label}
            </button>
          </li>
        ))}
        {follow && (
          <li>
            <button
              type="button"
              onClick={() => {
                close();
                follow.onChoose();
              }}
            >
              {follow.label}
            </button>
          </li>
        )}
        <li>
          <button
            type="button"
            onClick={() => {
              close();
              onCopy();
            }}
          >
            Copy link
          </button>
        </li>
        <li>
          <Link href={href} prefetch={false} onClick={onOpen}>
            Open post
          </Link>
        </li>
      </menu>
    </>
  );
}

function actionsOf(menu: HTMLElement): HTMLElement[] {
  return [...menu.querySelectorAll<HTMLElement>("button, a")];
}
