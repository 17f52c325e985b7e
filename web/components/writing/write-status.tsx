"use client";

import { Button } from "../ui/button";
import { useWriteQueue } from "./use-write-queue";
import type { WriteState } from "./write";

/** What has become of a write that the server has not confirmed, with what the user can do about it. */
export function WriteStatus({ state }: { state: WriteState }) {
  const { retry, discard } = useWriteQueue();
  if (state.sent) return null;
  const isFirstAttempt = state.rejection === null && !state.delayed;
  if (isFirstAttempt) return <p className="text-sm text-soft">{state.post ? "Sending…" : "Deleting…"}</p>;
  const action = state.post ? "posted" : "deleted";
  const text =
    state.rejection === null ? `Not ${state.post ? "sent" : "deleted"} yet.` : `Not ${action}. ${state.rejection}`;
  return (
    <div className="flex flex-wrap items-center gap-x-1 text-sm">
      <p className={state.rejection === null ? "text-fair" : "text-bad"}>{text}</p>
      <Button variant="quiet" size="small" onClick={() => retry(state.id)}>
        Retry
      </Button>
      <Button variant="quiet" size="small" onClick={() => discard(state.id)}>
        {state.post ? "Discard" : "Keep the post"}
      </Button>
    </div>
  );
}
