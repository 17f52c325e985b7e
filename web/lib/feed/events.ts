import { type Delivery, type FeedEvent, FeedServiceError, type Interaction, type InteractionType } from "@feed/client";
import { isUuid } from "@/lib/platform/ids";

const TYPES: readonly InteractionType[] = ["view", "click", "like", "comment", "share"];
export const MAX_EVENTS = 200;
/** A clock that is wrong by less is left alone: the network's own delay is in the difference too. */
const TOLERATED_SKEW_MS = 2000;

/** Where events go; the service in the application. */
export interface EventSink {
  track(interactions: Interaction[]): Promise<unknown>;
}

/** The body of `POST /api/events`; raises SyntaxError with one line that names the place. */
export function parseEvents(body: unknown): { user: unknown; events: FeedEvent[]; sentAt: number | null } {
  const events = (body as { events?: unknown } | null)?.events;
  if (!Array.isArray(events) || events.length === 0 || events.length > MAX_EVENTS) {
    throw new SyntaxError(`events must be a list of 1..${MAX_EVENTS} events`);
  }
  events.forEach((event: unknown, place) => {
    const { event_id, post_id, interaction_type, occurred_at, metadata, request_id } = (event ?? {}) as Record<
      string,
      unknown
    >;
    const wrong = (field: string, rule: string): never => {
      throw new SyntaxError(`events[${place}].${field} must be ${rule}`);
    };
    if (typeof event_id !== "string" || !isUuid(event_id)) wrong("event_id", "a uuid");
    if (typeof post_id !== "string" || !isUuid(post_id)) wrong("post_id", "a uuid");
    if (!TYPES.includes(interaction_type as InteractionType)) wrong("interaction_type", `one of ${TYPES.join(", ")}`);
    if (typeof occurred_at !== "string" || Number.isNaN(Date.parse(occurred_at))) wrong("occurred_at", "a time");
    if (metadata !== undefined && (typeof metadata !== "object" || metadata === null || Array.isArray(metadata))) {
      wrong("metadata", "an object");
    }
    if (request_id !== undefined && request_id !== null && typeof request_id !== "string") wrong("request_id", "text");
  });
  const sentAt = Date.parse(String((body as { sent_at?: unknown }).sent_at));
  const user = (body as { user?: unknown }).user;
  return { user, events: events as FeedEvent[], sentAt: Number.isNaN(sentAt) ? null : sentAt };
}

/**
 * Names the user, and moves times from the browser's clock to ours: what lies in our future, the service would refuse.
 */
export function interactionsOf(userId: string, events: FeedEvent[], sentAt: number | null, now: number): Interaction[] {
  const skew = sentAt === null ? 0 : now - sentAt;
  const shift = Math.abs(skew) > TOLERATED_SKEW_MS ? skew : 0;
  return events.map((event) => ({
    user_id: userId,
    post_id: event.post_id,
    interaction_type: event.interaction_type,
    event_id: event.event_id,
    occurred_at: new Date(Math.min(Date.parse(event.occurred_at) + shift, now)).toISOString(),
    ...(event.metadata ? { metadata: event.metadata } : {}),
    ...(event.request_id ? { request_id: event.request_id } : {}),
  }));
}

/**
 * Hands events to the service. It takes a batch whole or not at all, so a refused one is halved until the events that
 * can never be stored (their post is deleted, say) stand alone: those count as settled, and the others arrive. Events
 * whose fate is unknown are left out of `settled`. `register` is called once for a user that the service does not know.
 */
export async function deliver(
  sink: EventSink,
  interactions: Interaction[],
  register: () => Promise<void>,
): Promise<Delivery & { refused: string[] }> {
  let registered = false;

  const attempt = async (batch: Interaction[]): Promise<{ settled: string[]; refused: string[] }> => {
    const ids = batch.map((interaction) => interaction.event_id ?? "");
    try {
      await sink.track(batch);
      return { settled: ids, refused: [] };
    } catch (error) {
      if (!(error instanceof FeedServiceError) || error.transient || isOurFault(error)) throw error;
      if (error.code === "unknown_user" && !registered) {
        registered = true;
        await register();
        return attempt(batch);
      }
      // the service may need a moment until it knows a user who was just made: later, then
      if (error.code === "unknown_user") throw error;
      if (batch.length === 1) return { settled: ids, refused: ids };
    }
    const middle = Math.ceil(batch.length / 2);
    const first = await attempt(batch.slice(0, middle));
    const second = await attempt(batch.slice(middle)).catch((error: unknown) => {
      if (error instanceof FeedServiceError) return { settled: [], refused: [] };
      throw error;
    });
    return { settled: [...first.settled, ...second.settled], refused: [...first.refused, ...second.refused] };
  };

  return attempt(interactions);
}

/** A wrong key or too many requests says nothing against the events. */
function isOurFault(error: FeedServiceError): boolean {
  return [401, 403, 408, 429].includes(error.status ?? 0);
}
