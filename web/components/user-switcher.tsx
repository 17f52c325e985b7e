"use client";

import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useId, useRef, useState } from "react";
import { Avatar } from "./avatar";
import { useEvents } from "./events-provider";
import { placeBelow } from "./place-popover";

interface DemoUser {
  id: string;
  name: string;
  followerCount: number;
  events: number;
}

/** Switches the session to another user of the demo data, or to a new visitor. */
export function UserSwitcher({ name }: { name: string }) {
  const { endSession, user } = useEvents();
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const searchInput = useRef<HTMLInputElement>(null);
  const [open, setOpen] = useState(false);
  const [search, setSearch] = useState("");
  const [failed, setFailed] = useState(false);
  const deferredSearch = useDeferredValue(search.trim());
  const { data: users, isError } = useQuery({
    queryKey: ["users", deferredSearch],
    enabled: open,
    queryFn: async ({ signal }): Promise<DemoUser[]> => {
      const response = await fetch(`/api/users?${new URLSearchParams({ search: deferredSearch })}`, { signal });
      if (!response.ok) throw new Error(`status ${response.status}`);
      return ((await response.json()) as { users: DemoUser[] }).users;
    },
    placeholderData: (previous) => previous,
  });

  const switchTo = async (userId: string | null) => {
    await endSession();
    const response = await fetch("/api/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user: userId }),
    }).catch(() => null);
    if (response?.ok) location.assign("/");
    else setFailed(true);
  };

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
        <input
          ref={searchInput}
          type="search"
          aria-label="Find a user"
          placeholder="Find a user"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <button type="button" className="user-row" onClick={() => void switchTo(null)}>
          <Avatar name="+" size={32} />
          <span>
            <strong>New visitor</strong>
            <small>Starts without any history</small>
          </span>
        </button>
        {(isError || failed) && <p className="quiet">The list of users is temporarily unavailable.</p>}
        <ul>
          {(users ?? []).map((other) => (
            <li key={other.id}>
              <button
                type="button"
                className="user-row"
                aria-current={other.id === user ? "true" : undefined}
                onClick={() => void switchTo(other.id)}
              >
                <Avatar name={other.name} size={32} />
                <span>
                  <strong>{other.name}</strong>
                  <small>
                    {other.events} events · {other.followerCount} followers
                  </small>
                </span>
              </button>
            </li>
          ))}
        </ul>
      </div>
    </>
  );
}
