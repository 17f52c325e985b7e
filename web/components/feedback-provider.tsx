"use client";

import { type AuthorFeedbackAction, newUuid } from "@feed/client";
import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from "react";
import { createStore, type StoreApi, useStore } from "zustand";
import { CallChain } from "./call-chain";
import { type Dismissal, type Dismissals, haveSameTarget } from "./dismissals";
import { postJson } from "./post-json";

interface FeedbackContext {
  /** What the user has removed from this page. `useDismissals` and `useDismissal` read it. */
  dismissals: StoreApi<Dismissals>;
  /** Whom the user has muted, blocked, unmuted and unblocked on this page. `useIsControlled` reads one author. */
  authors: StoreApi<Readonly<Record<string, boolean>>>;
  /** Removes the post from the page and sends the feedback. Restores the post and throws if it cannot be stored. */
  dismiss: (dismissal: Dismissal) => Promise<void>;
  /** Shows the post again and takes the feedback back. Removes the post again and throws if that cannot be stored. */
  undo: (dismissal: Dismissal) => Promise<void>;
  /** Ends the time in which a dismissal can be undone. */
  expire: (id: string) => void;
  /** Resolves when all feedback is sent, or after `timeoutMs`. */
  settle: (timeoutMs: number) => Promise<void>;
}

const Context = createContext<FeedbackContext | null>(null);
const ENDPOINT = "/api/feedback";

export function useFeedback(): FeedbackContext {
  const feedback = useContext(Context);
  if (!feedback)
    throw new Error("useFeedback: no FeedbackProvider above the component; the layout has Providers for a session");
  return feedback;
}

export function useDismissals(): Dismissals {
  return useStore(useFeedback().dismissals);
}

/** The dismissal of one post. Only a change of this one renders the component again. */
export function useDismissal(postId: string): Dismissal | undefined {
  return useStore(useFeedback().dismissals, (dismissals) => dismissals[postId]);
}

/** Whether the user mutes, or blocks, an author. `stored` is what the server has read for the page. */
export function useIsControlled(authorId: string, action: AuthorFeedbackAction, stored: boolean): boolean {
  return useStore(useFeedback().authors, (authors) => authors[`${action} ${authorId}`] ?? stored);
}

/** Holds what the user has removed from this page, and sends it to the server. */
export function FeedbackProvider({ user, children }: { user: string; children: ReactNode }) {
  const [dismissals] = useState(() => createStore<Dismissals>(() => ({})));
  const [authors] = useState(() => createStore<Readonly<Record<string, boolean>>>(() => ({})));
  const [calls] = useState(() => new CallChain());

  const put = useCallback(
    (dismissal: Dismissal) => {
      dismissals.setState({ [dismissal.id]: dismissal });
      setControlled(authors, dismissal, true);
    },
    [dismissals, authors],
  );
  const remove = useCallback(
    (dismissal: Dismissal) => {
      const others = Object.entries(dismissals.getState()).filter(
        ([, { target }]) => !haveSameTarget(target, dismissal.target),
      );
      dismissals.setState(Object.fromEntries(others), true);
      setControlled(authors, dismissal, false);
    },
    [dismissals, authors],
  );
  /** One call at a time, so that an undo never arrives before the action that it takes back. */
  const send = useCallback(
    (dismissal: Dismissal, undo: boolean): Promise<void> => {
      const body = { user, ...dismissal.target, undo, event_id: newUuid() };
      return calls.send(() => postJson(ENDPOINT, body));
    },
    [user, calls],
  );

  const dismiss = useCallback<FeedbackContext["dismiss"]>(
    async (dismissal) => {
      put(dismissal);
      try {
        await send(dismissal, false);
      } catch (error) {
        remove(dismissal);
        throw error;
      }
    },
    [put, remove, send],
  );
  const undo = useCallback<FeedbackContext["undo"]>(
    async (dismissal) => {
      remove(dismissal);
      try {
        await send(dismissal, true);
      } catch (error) {
        put(dismissal);
        throw error;
      }
    },
    [put, remove, send],
  );
  const expire = useCallback(
    (id: string) => {
      const dismissal = dismissals.getState()[id];
      if (dismissal) dismissals.setState({ [id]: { ...dismissal, undoable: false } });
    },
    [dismissals],
  );
  const settle = useCallback((timeoutMs: number) => calls.settle(timeoutMs), [calls]);

  const value = useMemo(
    () => ({ dismissals, authors, dismiss, undo, expire, settle }),
    [dismissals, authors, dismiss, undo, expire, settle],
  );
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

function setControlled(authors: FeedbackContext["authors"], { target }: Dismissal, isControlled: boolean): void {
  if ("author_id" in target) authors.setState({ [`${target.action} ${target.author_id}`]: isControlled });
}
