"use client";

import { useEvents } from "./events-provider";
import { Avatar } from "./ui/avatar";
import { useLoadOnFirstUse } from "./ui/load-on-first-use";
import { Popover } from "./ui/popover";

/** Switches the session to another user of the demo data, or to a new visitor. */
export function UserSwitcher({ name }: { name: string }) {
  const { user } = useEvents();
  return (
    <Popover
      label="Switch user"
      className="users"
      trigger={(trigger) => (
        <button
          type="button"
          className="flex min-w-0 items-center gap-2.5 rounded-full border border-line bg-raised py-1 pr-3.5 pl-1 text-md font-semibold hover:bg-sunken"
          {...trigger}
        >
          <Avatar id={user} name={name} size={32} />
          <span className="truncate">
            <span className="sr-only">Switch user, you are </span>
            {name}
          </span>
        </button>
      )}
    >
      {(close) => <Search onFailure={close} />}
    </Popover>
  );
}

const loadSearch = () => import("./user-search").then((module) => module.UserSearch);

function Search({ onFailure }: { onFailure: () => void }) {
  const Loaded = useLoadOnFirstUse(true, loadSearch, onFailure);
  return Loaded && <Loaded />;
}
