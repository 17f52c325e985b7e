import pg from "pg";
import { postUuid, userUuid } from "@/lib/platform/ids";

const AUDIENCES = ["chess", "choir", "staff"];
const TAGS = ["garden", "maps", "tea"];
const MAX_AGE_MINUTES = 60 * 24 * 30;

interface PrivatePost {
  id: string;
  author: string;
  visibility: "public" | "followers" | "members";
  audience: string | null;
  sensitive: boolean;
  language: string | null;
  tag: string;
  visible: boolean;
  ageMinutes: number;
  /** The ids of other posts of the feed. */
  replyTo: string | null;
  rootId: string | null;
  quoteOf: string | null;
}

/**
 * A random feed with private posts, threads, quotes, events, mutes and blocks, and the rules that say who may see what in plain
 * TypeScript. The text of a post contains `text-of:` and its id.
 */
export class PrivateFeed {
  readonly authors = names("author", 8);
  readonly readers: string[];
  readonly posts: PrivatePost[] = [];
  /** The users who commented on each post, one entry a comment. */
  readonly commenters: Map<string, string[]>;
  private readonly viewed: Set<string>;
  private readonly liked: Set<string>;
  private readonly hermits: Set<string>;
  private readonly showsSensitive: Set<string>;
  private readonly languages: Map<string, string[]>;
  private readonly members: Set<string>;
  private readonly followed: Set<string>;
  private readonly hidden: Set<string>;
  private readonly mutedTags: Set<string>;
  private readonly muted: Set<string>;
  private readonly blocked: Set<string>;

  constructor(
    postCount: number,
    readerCount: number,
    private readonly random: () => number = seeded(7),
  ) {
    this.readers = names("reader", readerCount);
    const everybody = this.users;
    this.hermits = new Set(this.authors.slice(0, 2)); // not discoverable
    this.showsSensitive = new Set(this.readers.filter(() => this.chance(0.5)));
    this.languages = new Map(this.readers.map((reader) => [reader, this.pick([[], ["en"], ["en", "de"]])]));
    this.members = this.pairs(this.readers, AUDIENCES, 0.4);
    this.followed = this.pairs(this.readers, this.authors, 0.3);
    this.muted = this.pairs(this.readers, everybody, 0.1);
    this.blocked = new Set([
      ...this.pairs(this.readers, everybody, 0.05),
      ...this.pairs(this.authors, everybody, 0.05),
    ]);
    this.mutedTags = this.pairs(this.readers.slice(1), TAGS, 0.15);
    for (let number = 0; number < postCount; number += 1) this.posts.push(this.makePost(number));
    const ids = this.posts.map(({ id }) => id);
    this.hidden = this.pairs(this.readers, ids, 0.02);
    this.viewed = this.pairs(this.readers, ids, 0.1);
    this.liked = this.pairs(this.readers, ids, 0.1);
    this.commenters = new Map(ids.map((id) => [id, [this.pick(everybody), this.pick(everybody)]]));
  }

  get users(): string[] {
    return [...this.authors, ...this.readers];
  }

  /** Whether the viewer may see the post, and wants to. */
  isVisible(viewer: string, post: PrivatePost): boolean {
    if (!post.visible || this.hidden.has(pair(viewer, post.id)) || this.mutedTags.has(pair(viewer, post.tag))) {
      return false;
    }
    if (viewer === post.author) return true;
    const follows = this.followed.has(pair(viewer, post.author));
    const languages = this.languages.get(viewer) ?? [];
    return (
      this.isHeard(viewer, post.author) &&
      (post.visibility !== "followers" || follows) &&
      (post.visibility !== "members" || this.members.has(pair(viewer, post.audience ?? ""))) &&
      (follows || !this.hermits.has(post.author)) &&
      (!post.sensitive || this.showsSensitive.has(viewer)) &&
      (post.language === null || languages.length === 0 || languages.includes(post.language))
    );
  }

  /** Whether the fallback may show the post to the viewer. */
  isEligible(viewer: string, post: PrivatePost, mode: string): boolean {
    const isInMode = mode !== "following" || this.followed.has(pair(viewer, post.author));
    return isInMode && !this.hasSeen(viewer, post) && viewer !== post.author && this.isVisible(viewer, post);
  }

  /** Whether the viewer has an event with the post. */
  hasSeen(viewer: string, post: PrivatePost): boolean {
    const entry = pair(viewer, post.id);
    return this.viewed.has(entry) || this.liked.has(entry) || this.commenters.get(post.id)?.includes(viewer) === true;
  }

  hasLiked(viewer: string, post: PrivatePost): boolean {
    return this.liked.has(pair(viewer, post.id));
  }

  /** Whether a list of people names the user to the viewer. */
  isNamed(viewer: string, user: string): boolean {
    if (viewer === user) return true;
    return this.isHeard(viewer, user) && (!this.hermits.has(user) || this.follows(viewer, user));
  }

  follows(follower: string, followee: string): boolean {
    return this.followed.has(pair(follower, followee));
  }

  /** Whether posts and comments of the user are shown to the viewer: no mute, and no block in either direction. */
  isHeard(viewer: string, user: string): boolean {
    return !this.muted.has(pair(viewer, user)) && !this.blocked.has(pair(viewer, user)) && !this.blocks(user, viewer);
  }

  blocks(user: string, other: string): boolean {
    return this.blocked.has(pair(user, other));
  }

  /** Writes the feed into the tables of the service. */
  async store(url: string): Promise<void> {
    const client = new pg.Client(url);
    await client.connect();
    const insert = (table: string, rows: object[]) =>
      client.query(
        `INSERT INTO ${table} (${Object.keys(rows[0] ?? {}).join(", ")})
         SELECT ${Object.keys(rows[0] ?? {}).join(", ")} FROM json_populate_recordset(NULL::${table}, $1)`,
        [JSON.stringify(rows)],
      );
    try {
      await insert("users", this.users.map(this.userRow));
      await insert("posts", this.posts.map(postRow));
      await insert("memberships", splitPairs(this.members, "user_id", "audience_id"));
      await insert("follows", splitPairs(this.followed, "follower_id", "followee_id"));
      for (const [action, target, pairs] of this.controls) {
        const rows = splitPairs(pairs, "user_id", target);
        await insert(
          "user_feedback",
          rows.map((row) => ({ ...row, action })),
        );
      }
      const comments = [...this.commenters].flatMap(([post, users]) => users.map((user) => commentRow(post, user)));
      const views = splitPairs(this.viewed, "user_id", "post_id").map((row) => eventRow(row, "view"));
      const likes = splitPairs(this.liked, "user_id", "post_id").map((row) => eventRow(row, "like"));
      await insert("user_interaction", [...comments, ...views, ...likes]);
    } finally {
      await client.end();
    }
  }

  private get controls(): [action: string, target: string, pairs: Set<string>][] {
    return [
      ["hide_post", "post_id", this.hidden],
      ["mute_tag", "tag", this.mutedTags],
      ["mute_author", "author_id", this.muted],
      ["block_author", "author_id", this.blocked],
    ];
  }

  private readonly userRow = (user: string) => ({
    id: userUuid(user),
    external_id: user,
    created_at: "2026-01-01T00:00:00Z",
    discoverable: !this.hermits.has(user),
    languages: this.languages.get(user) ?? [],
    show_sensitive: this.showsSensitive.has(user),
  });

  private makePost(number: number): PrivatePost {
    const visibility = this.pick(["public", "followers", "members"] as const);
    const parent = number > 0 && this.chance(0.3) ? this.pick(this.posts) : null;
    return {
      id: postUuid(`post-${number}`),
      author: this.pick(this.authors),
      visibility,
      audience: visibility === "members" ? this.pick(AUDIENCES) : null,
      sensitive: this.chance(0.2),
      language: this.pick([null, "en", "de"]),
      tag: this.pick(TAGS),
      visible: this.chance(0.95),
      ageMinutes: 1 + Math.floor(this.random() * MAX_AGE_MINUTES),
      replyTo: parent?.id ?? null,
      rootId: parent?.rootId ?? parent?.id ?? null,
      quoteOf: parent === null && number > 0 && this.chance(0.3) ? this.pick(this.posts).id : null,
    };
  }

  private chance(probability: number): boolean {
    return this.random() < probability;
  }

  private pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.random() * items.length)] as Item;
  }

  private pairs(first: readonly string[], second: readonly string[], probability: number): Set<string> {
    const all = first.flatMap((one) => second.filter((other) => other !== one).map((other) => pair(one, other)));
    return new Set(all.filter(() => this.chance(probability)));
  }
}

function names(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => `${kind}-${number}`);
}

function pair(one: string, other: string): string {
  return `${one} ${other}`;
}

/** Rows with these columns; names of users become their UUIDs. */
function splitPairs(pairs: Set<string>, first: string, second: string): Record<string, unknown>[] {
  const isUser = (column: string) => /^(user|author|followe[re])_id$/.test(column);
  const stored = (column: string, name: string) => (isUser(column) ? userUuid(name) : name);
  return [...pairs].map((text) => {
    const [one = "", other = ""] = text.split(" ");
    return { [first]: stored(first, one), [second]: stored(second, other) };
  });
}

function minutesAgo(minutes: number): string {
  return new Date(Date.now() - minutes * 60_000).toISOString();
}

function postRow({ id, author, audience, tag, ageMinutes, replyTo, rootId, quoteOf, ...post }: PrivatePost) {
  return {
    ...post,
    id,
    external_id: id,
    author_id: userUuid(author),
    content: `text-of:${id}`,
    audience_id: audience,
    tags: [tag],
    created_at: minutesAgo(ageMinutes),
    reply_to: replyTo,
    root_id: rootId,
    quote_of: quoteOf,
  };
}

function commentRow(post: string, user: string) {
  return eventRow({ user_id: userUuid(user), post_id: post }, "comment", { text: `by ${user}` });
}

function eventRow(userAndPost: object, type: string, metadata: object = {}) {
  const at = minutesAgo(0);
  return { ...userAndPost, interaction_type: type, metadata, created_at: at, occurred_at: at };
}

/** Random numbers in [0, 1) that are the same in each run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
