"use client";

import type { AuthorFeedbackAction } from "@feed/client";
import type { RefObject } from "react";
import type { Profile } from "@/lib/feed/profile";
import { dismissalOfAuthor } from "./feedback-choices";
import { useFeedback, useIsControlled } from "./feedback-provider";
import { MenuContent } from "./ui/menu-content";
import type { MenuEntry } from "./ui/menu-entry";

/** A mute or a block of the user of a profile, or its end. */
export interface AuthorChange {
  /** What was changed. */
  text: string;
  store: () => Promise<void>;
  undo: () => Promise<void>;
}

interface ProfileMenuEntriesProps {
  profile: Profile;
  onChange: (change: AuthorChange) => void;
  anchor: RefObject<HTMLElement | null>;
  onClose: () => void;
}

/** The open menu of a profile. */
export function ProfileMenuEntries({ profile, onChange, anchor, onClose }: ProfileMenuEntriesProps) {
  const { dismiss, undo } = useFeedback();
  const { id, name } = profile;
  const muted = useIsControlled(id, "mute_author", profile.muted);
  const blocked = useIsControlled(id, "block_author", profile.blocked);
  const entry = (action: AuthorFeedbackAction, verb: string, holds: boolean): MenuEntry => {
    const dismissal = dismissalOfAuthor(profile, action);
    const set = () => dismiss(dismissal);
    const end = () => undo(dismissal);
    return {
      label: `${holds ? "Un" + verb : verb[0]?.toUpperCase() + verb.slice(1)} @${name}`,
      onSelect: () =>
        onChange(
          holds
            ? { text: `You no longer ${verb} @${name}.`, store: end, undo: set }
            : { text: dismissal.text, store: set, undo: end },
        ),
    };
  };
  const entries = [entry("mute_author", "mute", muted), entry("block_author", "block", blocked)];
  return <MenuContent label={`More actions for @${name}`} entries={entries} anchor={anchor} onClose={onClose} />;
}
