"use client";

import { Ellipsis } from "lucide-react";
import type { PostWithUser } from "@/lib/feed/post";
import { IconButton } from "./ui/icon-button";
import { useOverlay } from "./ui/overlay-trigger";

interface PostMenuProps {
  post: PostWithUser;
  /** The page of the feed that showed the post. */
  requestId: string | null;
  announce: (message: string) => void;
}

/** The entries, and with them the line that takes the place of a post after a choice. */
const loadEntries = async () => {
  const [{ PostMenuEntries }] = await Promise.all([import("./post-menu-entries"), import("./dismissed-post")]);
  return PostMenuEntries;
};

/** A button with further actions for a post. */
export function PostMenu(props: PostMenuProps) {
  const { anchor, close, triggerProps, Content } = useOverlay("menu", loadEntries);
  return (
    <>
      <IconButton label="More actions" aria-keyshortcuts="m" className="-my-2 -mr-2.5 ml-auto" {...triggerProps}>
        <Ellipsis size={20} />
      </IconButton>
      {Content && <Content {...props} anchor={anchor} onClose={close} />}
    </>
  );
}
