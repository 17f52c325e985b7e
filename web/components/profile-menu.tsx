"use client";

import { Ellipsis } from "lucide-react";
import { useRouter } from "next/navigation";
import { useCallback, useState } from "react";
import type { Profile } from "@/lib/feed/profile";
import { useAnnouncer } from "./announcer";
import type { AuthorChange } from "./profile-menu-entries";
import { IconButton } from "./ui/icon-button";
import { useOverlay } from "./ui/overlay-trigger";
import { UndoLine } from "./undo-line";

const loadEntries = () => import("./profile-menu-entries").then((module) => module.ProfileMenuEntries);
const NOT_SAVED = "This could not be saved. Please try again.";

/** A button that mutes or blocks the user of a profile, or ends it, and a line that takes the last change back. */
export function ProfileMenu({ profile }: { profile: Profile }) {
  const router = useRouter();
  const { anchor, close, triggerProps, Content } = useOverlay("menu", loadEntries);
  const { announce, announcer } = useAnnouncer();
  const [last, setLast] = useState<AuthorChange | null>(null);
  const forget = useCallback(() => setLast(null), []);

  const change = (next: AuthorChange) => {
    setLast(next);
    // The page reads the posts of the user again, or leaves them out.
    next.store().then(
      () => router.refresh(),
      () => {
        forget();
        announce(NOT_SAVED);
      },
    );
  };
  const undo = async (taken: AuthorChange) => {
    await taken.undo();
    forget();
    router.refresh();
  };

  return (
    <>
      <IconButton label={`More actions for @${profile.name}`} {...triggerProps}>
        <Ellipsis size={20} />
      </IconButton>
      {Content && <Content profile={profile} onChange={change} anchor={anchor} onClose={close} />}
      {last && (
        <UndoLine
          key={last.text}
          role="status"
          className="basis-full rounded-card"
          text={last.text}
          onUndo={() => undo(last)}
          onExpire={forget}
          announce={announce}
        />
      )}
      {announcer}
    </>
  );
}
