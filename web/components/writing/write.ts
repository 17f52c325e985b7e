/** A post as the user wrote it. At most one of the three other posts is given; a repost has no text. */
export interface WrittenPost {
  text: string;
  reply_to?: string;
  quote_of?: string;
  repost_of?: string;
  /** The page of the feed that showed the other post. */
  request_id?: string | null;
}

/** A post on its way to the server, or the deletion of one. */
export interface Write {
  /** The id of the post. The browser chooses it, so that a repeated call stores one post. */
  id: string;
  createdAt: string;
  /** The post to store; null deletes the post with this id. */
  post: WrittenPost | null;
  /** The post that the reply is written or deleted below, with the number of the user's own replies before. */
  parent?: { id: string; ownComments: number };
  /** How often it was sent. The server may have stored it after the first time. */
  attempts: number;
  /** Whether an attempt had no result, so that it is repeated. */
  delayed: boolean;
  /** Why the server does not accept it, for the user. Null as long as it may accept it. */
  rejection: string | null;
}

/** A write as the page knows it: on its way, rejected, or confirmed by the server since the page was loaded. */
export type WriteState = Write & { sent: boolean };

/** The writes of the user by the id of their post. */
export type WriteStates = Readonly<Record<string, WriteState>>;

/** The result of an attempt. `delayed` means that it is unknown, or that a repetition may succeed. */
export type Outcome =
  | { kind: "sent" }
  | { kind: "rejected"; reason: string }
  | { kind: "delayed"; retryAfterMs: number | null };

/** The start of the keys in the browser's storage. A write is only sent in the name of its user. */
export function keyPrefix(user: string): string {
  return `feed-write:${encodeURIComponent(user)}:`;
}

/** Whether an earlier page has left writes of the user in the browser's storage. */
export function hasStoredWrites(user: string): boolean {
  try {
    return Object.keys(localStorage).some((key) => key.startsWith(keyPrefix(user)));
  } catch {
    return false; // the browser forbids storage
  }
}

/** Whether the user has written this post since the page was loaded. */
export function isWrittenHere(states: WriteStates, postId: string): boolean {
  const state = states[postId];
  return state !== undefined && state.post !== null;
}
