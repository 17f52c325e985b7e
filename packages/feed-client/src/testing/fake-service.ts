import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import type {
  BatchPost,
  Feedback,
  Interaction,
  RankRequest,
  RecommendationRequest,
  Retraction,
  SeenReport,
  UpdatesRequest,
  UserControl,
} from "../types.ts";

/** How the fake service responds. */
export type Behaviour =
  | { kind: "healthy" }
  | { kind: "slow"; delayMs: number }
  | { kind: "stalled" } // sends the headers and the start of the body, then nothing
  | { kind: "status"; status: number; code?: string; retryAfter?: number }
  | { kind: "broken json" }
  | { kind: "wrong shape" };

/**
 * A feed service over real HTTP for tests. `behaviour` selects how it responds. It implements the parts of the API that
 * clients depend on: pages, cursors, new posts, seen posts, idempotent events, and the controls, follows and data of
 * users.
 */
export class FakeFeedService {
  behaviour: Behaviour = { kind: "healthy" };
  /** The behaviours of the next calls. `behaviour` applies when the list is empty. */
  readonly nextBehaviours: Behaviour[] = [];
  readonly requests: { path: string; body: unknown; headers: IncomingMessage["headers"] }[] = [];
  /** The stored events by `event_id`. */
  readonly events = new Map<string, Interaction>();
  /** The number of events received, duplicates included. */
  receivedEvents = 0;
  /** The ids of all posts, in the order in which they are recommended. */
  catalogue: string[];
  /** The authors of posts, by the id of the post. Other posts have no author. */
  readonly authors = new Map<string, string>();
  /** The controls by user. Some may have ended. */
  readonly controls = new Map<string, UserControl[]>();
  /** The `event_id` of all feedback. */
  readonly feedbackIds = new Set<string>();
  /** The users whom each user follows. */
  readonly follows = new Map<string, Set<string>>();
  /** The fields of the users and posts that were written. */
  readonly entities = { users: new Map<string, object>(), posts: new Map<string, object>() };
  /** A list goes on in order of time, the last post of the catalogue first, when it has shown this many posts. */
  timeOrderedAfter = Infinity;
  /** The number of posts that are new for every list. */
  newPosts = 0;
  /** The number of reports of posts that arrive before their page is stored. They are ignored. */
  earlyReports = 0;
  /** The reports of posts that were on screen. */
  readonly seenReports: SeenReport[] = [];
  /** The users that may send events and feedback; null if every user may. */
  knownUsers: Set<string> | null = null;
  private server: Server | null = null;
  private port = 0;

  constructor(catalogue: string[] = []) {
    this.catalogue = catalogue;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts to listen. After `stop`, it uses the same port again. */
  async start(): Promise<this> {
    const server = createServer((request, response) => {
      this.handle(request, response).catch((error: unknown) => {
        if (request.complete) throw error; // else the caller hung up, or `stop` closed the connection
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.port, "127.0.0.1", resolve);
    });
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
    return this;
  }

  /** Closes open connections and refuses new ones, like a killed process. */
  async stop(): Promise<void> {
    const server = this.server;
    this.server = null;
    if (!server) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<ServerResponse> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body: unknown = text ? JSON.parse(text) : null;
    const path = request.url ?? "";
    this.requests.push({ path, body, headers: request.headers });

    const behaviour = this.nextBehaviours.shift() ?? this.behaviour;
    switch (behaviour.kind) {
      case "slow":
        await setTimeout(behaviour.delayMs, undefined, { ref: false }); // ends with the process
        break;
      case "stalled":
        response.writeHead(200, { "Content-Type": "application/json" }).write("{");
        return response;
      case "status":
        if (behaviour.retryAfter !== undefined) response.setHeader("Retry-After", behaviour.retryAfter);
        return send(response, behaviour.status, { status: behaviour.status, code: behaviour.code ?? "fake_failure" });
      case "broken json":
        return response.writeHead(200, { "Content-Type": "application/json" }).end('{"recommendations": [');
      case "wrong shape":
        return send(response, 200, { recommendations: "none" });
    }
    if (path === "/recommendations/generate") return this.recommend(response, body as RecommendationRequest);
    if (path === "/recommendations/rank") return this.rank(response, body as RankRequest);
    if (path === "/interactions/batch") {
      return this.track(response, (body as { interactions: Interaction[] }).interactions);
    }
    if (path === "/interactions/batch?partial=true") {
      return this.trackValid(response, (body as { interactions: Interaction[] }).interactions);
    }
    if (path === "/interactions/track") return this.track(response, [body as Interaction]);
    if (path === "/interactions/retract") return this.retract(response, body as Retraction);
    if (path === "/impressions") return this.recordSeen(response, body as SeenReport);
    if (path === "/feedback") return this.recordFeedback(response, body as Feedback);
    if (path === "/recommendations/updates") return this.countUpdates(response, body as UpdatesRequest);
    const similarTo = /^\/posts\/([^/?]+)\/similar\?/.exec(path)?.[1];
    if (similarTo) return this.findSimilar(response, similarTo);
    const [follower, followee] = /^\/users\/([^/]+)\/follows\/([^/]+)$/.exec(path)?.slice(1) ?? [];
    if (follower && followee) {
      const pair = [decodeURIComponent(follower), decodeURIComponent(followee)] as const;
      return this.setFollow(response, ...pair, request.method === "PUT");
    }
    const [table, id] = /^\/(users|posts)\/([^/]+)$/.exec(path)?.slice(1) ?? [];
    if (path === "/posts/batch" && request.method === "POST") {
      const { posts } = body as { posts: BatchPost[] };
      for (const { id: postId, ...fields } of posts) this.putEntity("posts", postId, fields);
      return send(response, 202, { status: "stored", accepted: posts.length });
    }
    if (table && id) return this.writeEntity(response, request.method, table as "users" | "posts", id, body as object);
    const [exportedOrReset, action] = /^\/users\/([^/]+)\/(export|reset)$/.exec(path)?.slice(1) ?? [];
    if (exportedOrReset !== undefined) {
      const userId = decodeURIComponent(exportedOrReset);
      return action === "export" ? this.exportUser(response, userId) : this.resetUser(response, userId);
    }
    const controlsUser = /^\/users\/([^/]+)\/controls$/.exec(path)?.[1];
    if (controlsUser !== undefined) return this.listControls(response, decodeURIComponent(controlsUser));
    if (path === "/health") {
      return send(response, 200, {
        status: "healthy",
        timestamp: new Date().toISOString(),
        model_version: "v1",
        model_loaded: true,
      });
    }
    return send(response, 404, { status: 404, code: "not_found" });
  }

  private recordSeen(response: ServerResponse, report: SeenReport): ServerResponse {
    if (this.knownUsers && !this.knownUsers.has(report.user_id)) {
      return send(response, 404, { status: 404, code: "unknown_user" });
    }
    if (this.earlyReports > 0) {
      this.earlyReports -= 1;
      return send(response, 202, { status: "recorded", seen: 0 });
    }
    this.seenReports.push(report);
    return send(response, 202, { status: "recorded", seen: report.seen.length });
  }

  private recommend(response: ServerResponse, request: RecommendationRequest): ServerResponse {
    const limit = request.limit ?? 50;
    const mode = request.context?.mode ?? "ranked";
    let shownPrefixes: string[] = [];
    let lastByTime = "";
    if (request.cursor) {
      const [cursorUser, cursorMode, prefixes, last = ""] = request.cursor.split("|");
      lastByTime = last;
      if (cursorUser !== request.user_id || cursorMode !== mode) return send(response, 400, { code: "invalid_cursor" });
      shownPrefixes = prefixes ? prefixes.split(",") : [];
    }
    const eventsOfUser = [...this.events.values()].filter((event) => event.user_id === request.user_id);
    const seen = new Set(eventsOfUser.map((event) => event.post_id));
    const shownBefore = new Set(shownPrefixes);
    const excluded = new Set(request.exclude_ids);
    const eligible = this.catalogue.filter(
      (id) =>
        !shownBefore.has(prefixOf(id)) &&
        !excluded.has(id) &&
        !this.isHiddenFrom(request.user_id, id) &&
        !(request.context?.exclude_seen !== false && seen.has(id)),
    );
    const timeOrdered = shownPrefixes.length >= this.timeOrderedAfter;
    if (timeOrdered) {
      eligible.reverse();
      if (lastByTime) eligible.splice(0, this.catalogue.length, ...eligible.filter((id) => prefixOf(id) < lastByTime));
    }
    const page = eligible.slice(0, limit);
    const shown = timeOrdered ? shownPrefixes : [...shownPrefixes, ...page.map(prefixOf)];
    const last = timeOrdered ? page.slice(-1).map(prefixOf) : [];
    const cursor = [request.user_id, mode, shown.join(","), ...last].join("|");
    return send(response, 200, {
      user_id: request.user_id,
      recommendations: page.map((post_id, index) => ({
        post_id,
        score: 1 - index / (limit + 1),
        reason: "trending",
        evidence: { kind: "trending", count: 12 },
      })),
      metadata: {
        total: page.length,
        model_version: "v1",
        generated_at: new Date().toISOString(),
        source: seen.size > 0 ? "personalized" : "cold_start",
        degraded: false,
        exhausted: page.length === 0,
        request_id: `request-${this.requests.length}`,
        next_cursor: page.length === 0 ? null : cursor,
        time_ordered: timeOrdered,
      },
    });
  }

  private rank(response: ServerResponse, { user_id, post_ids, explain }: RankRequest): ServerResponse {
    const shown = this.catalogue.filter((id) => post_ids.includes(id) && !this.isHiddenFrom(user_id, id));
    return send(response, 200, {
      user_id,
      recommendations: shown.map((post_id, index) => ({
        post_id,
        score: 1 / (1 + index),
        reason: "trending",
        ...(explain && { probability: 0.2, factors: { decayed_engagement: 1.5, post_age: -0.4 } }),
      })),
      metadata: {
        total: shown.length,
        model_version: "v1",
        generated_at: new Date().toISOString(),
        degraded: false,
        request_id: `request-${this.requests.length}`,
        omitted: post_ids.length - shown.length,
      },
    });
  }

  /** All other posts, without any rule of visibility. */
  private findSimilar(response: ServerResponse, postId: string): ServerResponse {
    const similar = this.catalogue.filter((id) => id !== postId);
    return send(response, 200, {
      post_id: postId,
      recommendations: similar.map((id) => ({ post_id: id, score: 0.5, reason: "content_similarity" })),
      metadata: { total: similar.length, model_version: "v1", generated_at: new Date().toISOString(), degraded: false },
    });
  }

  private countUpdates(response: ServerResponse, { user_id, cursor }: UpdatesRequest): ServerResponse {
    if (cursor.split("|")[0] !== user_id) return send(response, 400, { code: "invalid_cursor" });
    return send(response, 200, { new: Math.min(this.newPosts, 100), capped: this.newPosts > 100 });
  }

  private setFollow(response: ServerResponse, userId: string, followeeId: string, follows: boolean): ServerResponse {
    if (this.knownUsers && !this.knownUsers.has(userId)) return send(response, 404, { code: "unknown_user" });
    if (userId === followeeId) return send(response, 422, { code: "invalid_follow" });
    const followed = this.follows.get(userId) ?? new Set();
    this.follows.set(userId, followed);
    if (follows) followed.add(followeeId);
    else followed.delete(followeeId);
    return send(response, 202, { status: follows ? "followed" : "unfollowed" });
  }

  private writeEntity(
    response: ServerResponse,
    method: string | undefined,
    table: "users" | "posts",
    encodedId: string,
    fields: object,
  ): ServerResponse {
    const id = decodeURIComponent(encodedId);
    if (method === "PUT") this.putEntity(table, id, fields);
    else this.entities[table].delete(id);
    if (method === "DELETE" && table === "users") {
      this.removeDataOf(id);
      return send(response, 202, { status: "erased", erased_at: new Date().toISOString(), stores: [] });
    }
    return send(response, 202, { status: method === "PUT" ? "stored" : "deleted" });
  }

  private exportUser(response: ServerResponse, userId: string): ServerResponse {
    return send(response, 200, {
      user_id: userId,
      exported_at: new Date().toISOString(),
      managed_elsewhere: [],
      users: [{ external_id: userId, ...this.entities.users.get(userId) }],
      interactions: [...this.events.values()].filter((event) => event.user_id === userId),
      controls: this.controls.get(userId) ?? [],
    });
  }

  private resetUser(response: ServerResponse, userId: string): ServerResponse {
    this.removeDataOf(userId);
    return send(response, 202, { status: "reset", stores: [], managed_elsewhere: [] });
  }

  private removeDataOf(userId: string): void {
    for (const [id, event] of this.events) if (event.user_id === userId) this.events.delete(id);
    this.controls.delete(userId);
    this.follows.delete(userId);
  }

  private putEntity(table: "users" | "posts", id: string, fields: object): void {
    this.entities[table].set(id, { ...this.entities[table].get(id), ...fields });
  }

  private retract(response: ServerResponse, retraction: Retraction): ServerResponse {
    let removed = 0;
    for (const [id, event] of this.events) {
      const isChosen =
        "event_id" in retraction
          ? id === retraction.event_id
          : event.post_id === retraction.post_id && event.interaction_type === retraction.interaction_type;
      if (isChosen && event.user_id === retraction.user_id && this.events.delete(id)) removed += 1;
    }
    return send(response, 202, { status: "retracted", removed });
  }

  private recordFeedback(response: ServerResponse, feedback: Feedback): ServerResponse {
    const { user_id, action, undo = false, until = null, event_id = null } = feedback;
    const post_id = "post_id" in feedback ? feedback.post_id : null;
    const author_id = "author_id" in feedback ? feedback.author_id : null;
    const tag = "tag" in feedback ? feedback.tag : null;
    const word = "word" in feedback ? feedback.word : null;
    if (this.knownUsers && !this.knownUsers.has(user_id)) return send(response, 404, { code: "unknown_user" });
    if (post_id !== null && !this.catalogue.includes(post_id)) return send(response, 404, { code: "unknown_post" });
    const isDuplicate = event_id !== null && this.feedbackIds.has(event_id);
    if (!isDuplicate) {
      if (event_id !== null) this.feedbackIds.add(event_id);
      const control = { action, post_id, author_id, tag, word, created_at: new Date().toISOString(), until };
      const others = (this.controls.get(user_id) ?? []).filter(
        (other) =>
          other.action !== action ||
          other.post_id !== post_id ||
          other.author_id !== author_id ||
          other.tag !== tag ||
          other.word !== word,
      );
      this.controls.set(user_id, undo ? others : [...others, control]);
    }
    return send(response, 202, { status: "recorded" });
  }

  private listControls(response: ServerResponse, userId: string): ServerResponse {
    if (this.knownUsers && !this.knownUsers.has(userId)) return send(response, 404, { code: "unknown_user" });
    return send(response, 200, { user_id: userId, controls: this.controlsInForce(userId) });
  }

  private controlsInForce(userId: string): UserControl[] {
    const isInForce = ({ until }: UserControl) => until === null || Date.parse(until) > Date.now();
    return (this.controls.get(userId) ?? []).filter(isInForce);
  }

  /** True if the user has hidden the post or muted its author, or if one of the user and the author blocks the other. */
  private isHiddenFrom(userId: string, postId: string): boolean {
    const author = this.authors.get(postId);
    const isTarget = (control: UserControl) =>
      control.post_id === postId || (author !== undefined && control.author_id === author);
    const isBlock = (control: UserControl) => control.action === "block_author" && control.author_id === userId;
    return (
      this.controlsInForce(userId).some(isTarget) ||
      (author !== undefined && this.controlsInForce(author).some(isBlock))
    );
  }

  private track(response: ServerResponse, interactions: Interaction[]): ServerResponse {
    const unknown = interactions.map((interaction) => this.unknownCode(interaction)).find(Boolean);
    if (unknown) return send(response, 404, { code: unknown });
    return send(response, 202, { status: "tracked", ...this.store(interactions) });
  }

  private trackValid(response: ServerResponse, interactions: Interaction[]): ServerResponse {
    const codes = interactions.map((interaction) => this.unknownCode(interaction));
    const stored = this.store(interactions.filter((_, index) => !codes[index]));
    const rejected = codes.flatMap((code, index) => (code ? [{ index, code }] : []));
    return send(response, 202, { status: "tracked", ...stored, rejected });
  }

  private unknownCode({ user_id, post_id }: Interaction): string | null {
    if (this.knownUsers && !this.knownUsers.has(user_id)) return "unknown_user";
    return this.catalogue.includes(post_id) ? null : "unknown_post";
  }

  private store(interactions: Interaction[]): { accepted: number; duplicates: number } {
    let accepted = 0;
    for (const interaction of interactions) {
      this.receivedEvents += 1;
      const id = interaction.event_id ?? `anonymous-${this.receivedEvents}`;
      if (!this.events.has(id)) accepted += 1;
      this.events.set(id, this.events.get(id) ?? interaction);
    }
    return { accepted, duplicates: interactions.length - accepted };
  }
}

/** The first characters of a post id, which keep the cursor short. */
function prefixOf(postId: string): string {
  return postId.slice(0, 8);
}

function send(response: ServerResponse, status: number, body: unknown): ServerResponse {
  response.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json" });
  return response.end(JSON.stringify(body));
}
