import type { Outcome, Write } from "./write";

const SEND_TIMEOUT_MS = 10_000;
const NOT_PERMANENT = new Set([401, 408, 425, 429]);

/** What the answers of the server mean to the user, by their `code`. */
const REASONS: Readonly<Record<string, string>> = {
  unknown_post: "The other post was deleted, or you can no longer see it.",
  followers_only: "Only its author can quote or repost a post for followers.",
  managed_elsewhere: "Posts are written in another application.",
  other_author: "The post belongs to another user.",
};

/** Sends a write of the user once. A rejection needs an answer of the application: others may come from the network. */
export async function sendWrite(user: string, { id, post }: Write): Promise<Outcome> {
  try {
    const response = await fetch(post ? "/api/posts" : `/api/posts/${id}`, {
      method: post ? "POST" : "DELETE",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(post ? { user, id, ...post } : { user }),
      keepalive: true, // completes even if the page is closed
      signal: AbortSignal.timeout(SEND_TIMEOUT_MS),
    });
    if (response.status === 202) return { kind: "sent" };
    const seconds = Number(response.headers.get("Retry-After"));
    const retryAfterMs = seconds > 0 ? seconds * 1000 : null;
    const { code, detail } = (await response.json()) as { code?: string; detail?: string };
    // Another user has signed in; the write waits for its own user.
    const isPermanent = response.status < 500 && !NOT_PERMANENT.has(response.status) && code !== "other_user";
    if (!isPermanent || code === undefined) return { kind: "delayed", retryAfterMs };
    return { kind: "rejected", reason: REASONS[code] ?? detail ?? "The server does not accept it." };
  } catch {
    return { kind: "delayed", retryAfterMs: null };
  }
}
