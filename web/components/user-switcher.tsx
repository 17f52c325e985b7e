"use client";

import { useQuery } from "@tanstack/react-query";
import { type RefObject, useDeferredValue, useId, useRef, useState } from "react";
import { Avatar } from "./avatar";
import { useEvents } from "./events-provider";
import { placeBelow } from "./place-popover";

interface DemoUser {
  id: string;
  name: string;
  followerCount: number;
}

/** Switches the session to another user of the demo data, or to a new visitor. */
export function UserSwitcher({ name }: { name: string }) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const searchInput = useRef<HTMLInputElement>(null);
  const [open, setOpen] = useState(false);
  return (
    <>
      <button ref={button} type="button" className="viewer" popoverTarget={id} aria-haspopup="dialog">
        <Avatar name={name} size={32} />
        <span className="viewer-name">
          <span className="visually-hidden">Switch user, you are </span>
          {name}
        </span>
      </button>
      <div
        id={id}
        popover="auto"
        role="dialog"
        aria-label="Switch user"
        className="popover users"
        onToggle={(event) => {
          const opened = event.newState === "open";
          setOpen(opened);
          if (!opened) return;
          placeBelow(event.currentTarget, button.current);
          searchInput.current?.focus();
        }}
      >
        <UserSearch open={open} searchInput={searchInput} />
      </div>
    </>
  );
}

function UserSearch({ open, searchInput }: { open: boolean; searchInput: RefObject<HTMLInputElement | null> }) {
  const { endSession, user } = useEvents();
  const [search, setSearch] = useState("");
  const [failed, setFailed] = useState(false);
  const deferredSearch = useDeferredValue(search.trim());
  const { data: users, isError } = useQuery({
    queryKey: ["users", deferredSearch],
    enabled: open,
    queryFn: ({ signal }) => fetchUsers(deferredSearch, signal),
    placeholderData: (previous) => previous,
  });

  const switchTo = async (userId: string | null) => {
    await endSession();
    if (await startSession(userId)) location.assign("/");
    else setFailed(true);
  };

  return (
    <>
      <input
        ref={searchInput}
        type="search"
        aria-label="Find a user"
        placeholder="Find a user"
        value={search}
        onChange={(event) => setSearch(event.target.value)}
      />
      <UserRow avatar="+" name="New visitor" details="Starts without any history" onClick={() => void switchTo(null)} />
      {(isError || failed) && <p className="quiet">The list of users is temporarily unavailable.</p>}
      <ul>
        {(users ?? []).map((other) => (
          <li key={other.id}>
            <UserRow
              avatar={other.name}
              name={other.name}
              details={`${other.followerCount} followers`}
              current={other.id === user}
              onClick={() => void switchTo(other.id)}
            />
          </li>
        ))}
      </ul>
    </>
  );
}

interface UserRowProps {
  avatar: string;
  name: string;
  details: string;
  current?: boolean;
  onClick: () => void;
}

function UserRow({ avatar, name, details, current = false, onClick }: UserRowProps) {
  return (
    <button type="button" className="user-row" aria-current={current ? "true" : undefined} onClick={onClick}>
      <Avatar name={avatar} size={32} />
      <span>
        <strong>{name}</strong>
        <small>{details}</small>
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
