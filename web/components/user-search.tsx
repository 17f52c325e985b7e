"use client";

import { useQuery } from "@tanstack/react-query";
import { type RefObject, useDeferredValue, useState } from "react";
import { useEvents } from "./events-provider";
import { Avatar } from "./ui/avatar";
import { PopoverContent } from "./ui/popover-content";
import { TextField } from "./ui/text-field";

interface DemoUser {
  id: string;
  name: string;
  followerCount: number;
}

interface UserSearchProps {
  anchor: RefObject<HTMLElement | null>;
  onClose: () => void;
}

/** The users of the demo, and a field that searches them. */
export function UserSearch({ anchor, onClose }: UserSearchProps) {
  const { endSession, user } = useEvents();
  const [search, setSearch] = useState("");
  const [failed, setFailed] = useState(false);
  const deferredSearch = useDeferredValue(search.trim());
  const { data: users, isError } = useQuery({
    queryKey: ["users", deferredSearch],
    queryFn: ({ signal }) => fetchUsers(deferredSearch, signal),
    placeholderData: (previous) => previous,
  });

  const switchTo = async (userId: string | null) => {
    await endSession();
    if (await startSession(userId)) location.assign("/");
    else setFailed(true);
  };

  return (
    <PopoverContent label="Switch user" className="users" anchor={anchor} onClose={onClose}>
      <TextField
        className="mb-2 w-full"
        type="search"
        aria-label="Find a user"
        placeholder="Find a user"
        value={search}
        onChange={(event) => setSearch(event.target.value)}
      />
      <UserRow
        avatarId={null}
        name="New visitor"
        details="Starts without any history"
        onClick={() => void switchTo(null)}
      />
      {(isError || failed) && <p className="text-sm text-soft">The list of users is temporarily unavailable.</p>}
      <ul>
        {(users ?? []).map((other) => (
          <li key={other.id}>
            <UserRow
              avatarId={other.id}
              name={other.name}
              details={`${other.followerCount} followers`}
              current={other.id === user}
              onClick={() => void switchTo(other.id)}
            />
          </li>
        ))}
      </ul>
    </PopoverContent>
  );
}

interface UserRowProps {
  /** The id that the picture is made from; null for a plain one. */
  avatarId: string | null;
  name: string;
  details: string;
  current?: boolean;
  onClick: () => void;
}

function UserRow({ avatarId, name, details, current = false, onClick }: UserRowProps) {
  return (
    <button
      type="button"
      className="flex w-full items-center gap-3 rounded-xl p-2 text-left leading-tight hover:bg-sunken aria-[current=true]:bg-sunken"
      aria-current={current ? "true" : undefined}
      onClick={onClick}
    >
      <Avatar id={avatarId} name={name} size={32} />
      <span className="min-w-0">
        <strong className="block font-semibold wrap-anywhere">{name}</strong>
        <small className="text-sm text-soft">{details}</small>
      </span>
    </button>
  );
}

async function fetchUsers(search: string, signal: AbortSignal): Promise<DemoUser[]> {
  const response = await fetch(`/api/users?${new URLSearchParams({ search })}`, { signal });
  if (!response.ok) throw new Error(`GET /api/users: status ${response.status}`);
  return ((await response.json()) as { users: DemoUser[] }).users;
}

/** Switches the session to a user, or to a new visitor if the id is null. Returns whether it succeeded. */
async function startSession(userId: string | null): Promise<boolean> {
  const response = await fetch("/api/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user: userId }),
  }).catch(() => null);
  return response?.ok === true;
}
