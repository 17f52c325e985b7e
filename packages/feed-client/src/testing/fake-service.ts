import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Interaction, RecommendationRequest } from "../types";

export type Behaviour =
  | { kind: "well" }
  | { kind: "slow"; ms: number }
  | { kind: "stalled" } // headers, then nothing
  | { kind: "status"; status: number; code?: string; retryAfter?: number }
  | { kind: "broken json" }
  | { kind: "wrong shape" };

/** A feed service that behaves as told, over real HTTP; keeps the parts of the contract that its clients rely on. */
export class FakeFeedService {
  behaviour: Behaviour = { kind: "well" };
  /** Answers for the next calls, before `behaviour` applies. */
  readonly next: Behaviour[] = [];
  readonly requests: { path: string; body: unknown; headers: IncomingMessage["headers"] }[] = [];
  readonly events = new Map<string, Interaction>();
  deliveries = 0;
  catalogue: string[];
  knownUsers: Set<string> | null = null;
  private server: Server | null = null;
  private port = 0;

  constructor(catalogue: string[] = []) {
    this.catalogue = catalogue;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Listens; after `stop`, on the same port again. */
  async start(): Promise<this> {
    const server = createServer((request, response) => void this.answer(request, response));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.port, "127.0.0.1", resolve);
    });
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
    return this;
  }

  /** Ends as a killed process does: open connections break, new ones are refused. */
  async stop(): Promise<void> {
    const server = this.server;
    this.server = null;
    if (!server) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body: unknown = text ? JSON.parse(text) : null;
    const path = request.url ?? "";
    this.requests.push({ path, body, headers: request.headers });

    const behaviour = this.next.shift() ?? this.behaviour;
    switch (behaviour.kind) {
      case "slow":
        await new Promise((resolve) => setTimeout(resolve, behaviour.ms));
        break;
      case "stalled":
        response.writeHead(200, { "Content-Type": "application/json" }).write("{");
        return;
      case "status":
        if (behaviour.retryAfter !== undefined) response.setHeader("Retry-After", behaviour.retryAfter);
        return send(response, behaviour.status, { status: behaviour.status, code: behaviour.code ?? "told_so" });
      case "broken json":
        response.writeHead(200, { "Content-Type": "application/json" }).end('{"recommendations": [');
        return;
      case "wrong shape":
        return send(response, 200, { recommendations: "none" });
    }
    if (path === "/recommendations/generate") return this.recommend(response, body as RecommendationRequest);
    if (path === "/interactions/batch") {
      return this.track(response, (body as { interactions: Interaction[] }).interactions);
    }
    if (path === "/interactions/track") return this.track(response, [body as Interaction]);
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

  private recommend(response: ServerResponse, request: RecommendationRequest): void {
    const limit = request.limit ?? 50;
    const mode = request.context?.mode ?? "ranked";
    let shown: string[] = [];
    if (request.cursor) {
      const [user, listed, ids] = request.cursor.split("|");
      if (user !== request.user_id || listed !== mode) return send(response, 400, { code: "invalid_cursor" });
      shown = ids ? ids.split(",") : [];
    }
    const met = new Set([...this.events.values()].filter((e) => e.user_id === request.user_id).map((e) => e.post_id));
    const left = this.catalogue.filter(
      (id) =>
        !shown.includes(id.slice(0, 8)) &&
        !(request.exclude_ids ?? []).includes(id) &&
        !(request.context?.exclude_seen !== false && met.has(id)),
    );
    const page = left.slice(0, limit);
    const cursor = [request.user_id, mode, [...shown, ...page.map((id) => id.slice(0, 8))].join(",")].join("|");
    send(response, 200, {
      user_id: request.user_id,
      recommendations: page.map((post_id, place) => ({
        post_id,
        score: 1 - place / (limit + 1),
        reason: "trending",
      })),
      metadata: {
        total: page.length,
        model_version: "v1",
        generated_at: new Date().toISOString(),
        source: met.size > 0 ? "personalized" : "cold_start",
        degraded: false,
        exhausted: page.length === 0,
        request_id: `request-${this.requests.length}`,
        next_cursor: page.length === 0 ? null : cursor,
      },
    });
  }

  private track(response: ServerResponse, interactions: Interaction[]): void {
    for (const { user_id, post_id } of interactions) {
      if (this.knownUsers && !this.knownUsers.has(user_id)) return send(response, 404, { code: "unknown_user" });
      if (!this.catalogue.includes(post_id)) return send(response, 404, { code: "unknown_post" });
    }
    let accepted = 0;
    for (const interaction of interactions) {
      this.deliveries += 1;
      const id = interaction.event_id ?? `anonymous-${this.deliveries}`;
      if (!this.events.has(id)) accepted += 1;
      this.events.set(id, this.events.get(id) ?? interaction);
    }
    send(response, 202, { status: "tracked", accepted, duplicates: interactions.length - accepted });
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json" });
  response.end(JSON.stringify(body));
}
