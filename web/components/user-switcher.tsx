"use client";

import { useEvents } from "./events-provider";
import { Avatar } from "./ui/avatar";
import { useOverlay } from "./ui/overlay-trigger";

const loadSearch = () => import("./user-search").then((module) => module.UserSearch);

/** Switches the session to another user of the demo data, or to a new visitor. */
export function UserSwitcher({ name }: { name: string }) {
  const { user } = useEvents();
  const { anchor, close, triggerProps, Content } = useOverlay("dialog", loadSearch);
  return (
    <>
      <button
        type="button"
        className="flex min-w-0 items-center gap-2.5 rounded-full border border-line bg-raised py-1 pr-3.5 pl-1 text-md font-semibold hover:bg-sunken"
        {...triggerProps}
      >
        <Avatar id={user} name={name} size={32} />
        <span className="truncate">
          <span className="sr-only">Switch user, you are </span>
          {name}
        </span>
      </button>
      {Content && <Content anchor={anchor} onClose={close} />}
    </>
  );
}
