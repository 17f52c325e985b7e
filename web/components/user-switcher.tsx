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

/** Acts as another user of the demo data, or as somebody new. */
export function UserSwitcher({ name }: { name: string }) {
  const { handOver, user } = useEvents();
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const [open, setOpen] = useState(false);
  const [search, setSearch] = useState("");
  const [failed, setFailed] = useState(false);
  const asked = useDeferredValue(search.trim());
  const { data: users, isError } = useQuery({
    queryKey: ["users", asked],
    enabled: open,
    queryFn: async ({ signal }): Promise<DemoUser[]> => {
      const response = await fetch(`/api/users?${new URLSearchParams({ search: asked })}`, { signal });
      if (!response.ok) throw new Error(`status ${response.status}`);
      return ((await response.json()) as { users: DemoUser[] }).users;
    },
    placeholderData: (before) => before,
  });

  const become = async (next: string | null) => {
    await handOver();
    const response = await fetch("/api/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user: next }),
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
          field.current?.focus();
        }}
      >
        <input
          ref={field}
          type="search"
          aria-label="Find a user"
          placeholder="Find a user"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <button type="button" className="user-row newcomer" onClick={() => void become(null)}>
          <Avatar name="+" size={32} />
          <span>
            <strong>Somebody new</strong>
            <small>A first visit, without any history</small>
          </span>
        </button>
        {(isError || failed) && <p className="quiet">Users cannot be shown just now.</p>}
        <ul>
          {(users ?? []).map((other) => (
            <li key={other.id}>
              <button
                type="button"
                className="user-row"
                aria-current={other.id === user ? "true" : undefined}
                onClick={() => void become(other.id)}
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
