"use client";

import { Ellipsis } from "lucide-react";
import type { DismissalAction, FeedbackChoice } from "./dismissals";
import { IconButton } from "./ui/icon-button";
import { Menu } from "./ui/menu";

interface PostMenuProps {
  href: string;
  choices: FeedbackChoice[];
  /** The entry that follows or unfollows the author; null if there is none. */
  follow: { label: string; onChoose: () => void } | null;
  onCopy: () => void;
  onOpen: () => void;
  onFeedback: (action: DismissalAction) => void;
}

/** Further actions for a post. */
export function PostMenu({ href, choices, follow, onCopy, onOpen, onFeedback }: PostMenuProps) {
  return (
    <Menu
      label="More actions"
      trigger={(trigger) => (
        <IconButton label="More actions" aria-keyshortcuts="m" className="-my-2 -mr-2.5 ml-auto" {...trigger}>
          <Ellipsis size={20} />
        </IconButton>
      )}
      entries={[
        ...choices.map(({ action, label }) => ({ label, onSelect: () => onFeedback(action) })),
        ...(follow ? [{ label: follow.label, onSelect: follow.onChoose }] : []),
        { label: "Copy link", onSelect: onCopy },
        { label: "Open post", href, onSelect: onOpen },
      ]}
    />
  );
}
