import { type Delivery, type FeedEvent, FeedServiceError, type Interaction, type InteractionType } from "@feed/client";
import { isUuid } from "@/lib/platform/ids";

export const INTERACTION_TYPES: readonly InteractionType[] = ["view", "click", "like", "comment", "share"];
export const MAX_EVENTS = 200;
/** A smaller difference to the browser's clock is not corrected, because it includes the delay of the network. */
const TOLERATED_CLOCK_SKEW_MS = 2000;

/** The destination of events. The application uses the recommendation service. */
export interface EventSink {
  track(interactions: Interaction[]): Promise<unknown>;
}

export interface EventsBody {
  user: unknown;
  events: FeedEvent[];
  /** The time of the browser's clock when it sent the body; null if the body does not have a valid one. */
  sentAtMs: number | null;
}

/** Checks the body of `POST /api/events`. Throws SyntaxError with the place of the first error and its rule. */
export function parseEvents(body: unknown): EventsBody {
  const events = (body as { events?: unknown } | null)?.events;
  if (!Array.isArray(events) || events.length === 0 || events.length > MAX_EVENTS) {
    throw new SyntaxError(`events must be a list of 1..${MAX_EVENTS} events`);
  }
  events.forEach(checkEvent);
  const sentAtMs = Date.parse(String((body as { sent_at?: unknown }).sent_at));
  const user = (body as { user?: unknown }).user;
  return { user, events: events as FeedEvent[], sentAtMs: Number.isNaN(sentAtMs) ? null : sentAtMs };
}

function checkEvent(event: unknown, index: number): void {
  const fields = (event ?? {}) as Record<string, unknown>;
  const { event_id, post_id, interaction_type, occurred_at, metadata, request_id } = fields;
  const check = (valid: boolean, field: string, rule: string): void => {
    if (!valid) throw new SyntaxError(`events[${index}].${field} must be ${rule}`);
  };
  check(typeof event_id === "string" && isUuid(event_id), "event_id", "a UUID");
  check(typeof post_id === "string" && isUuid(post_id), "post_id", "a UUID");
  check(
    INTERACTION_TYPES.includes(interaction_type as InteractionType),
    "interaction_type",
    `one of ${INTERACTION_TYPES.join(", ")}`,
  );
  check(typeof occurred_at === "string" && !Number.isNaN(Date.parse(occurred_at)), "occurred_at", "a time");
  const isObject = typeof metadata === "object" && metadata !== null && !Array.isArray(metadata);
  check(metadata === undefined || isObject, "metadata", "an object");
  check(request_id === undefined || request_id === null || typeof request_id === "string", "request_id", "a string");
}

/**
 * Converts events to interactions of the user, and their times from the browser's clock to ours. The service rejects
 * times in the future, so later times become `nowMs`.
 */
export function toInteractions(
  userId: string,
  events: FeedEvent[],
  sentAtMs: number | null,
  nowMs: number,
): Interaction[] {
  const skewMs = sentAtMs === null ? 0 : nowMs - sentAtMs;
  const correctionMs = Math.abs(skewMs) > TOLERATED_CLOCK_SKEW_MS ? skewMs : 0;
  return events.map((event) => ({
    user_id: userId,
    post_id: event.post_id,
    interaction_type: event.interaction_type,
    event_id: event.event_id,
    occurred_at: new Date(Math.min(Date.parse(event.occurred_at) + correctionMs, nowMs)).toISOString(),
    ...(event.metadata ? { metadata: event.metadata } : {}),
    ...(event.request_id ? { request_id: event.request_id } : {}),
  }));
}

/**
 * Sends events to the service. The service stores a batch completely or not at all, so a rejected batch is split in
 * halves until each event that can never be stored, such as one for a deleted post, is alone. `settled` holds the
 * stored and the rejected events; events with an unknown result, and those that are ahead of the service's clock, are
 * in neither list, so that the browser sends them again. If the service does not know the user, `registerUser` is
 * called once.
 */
export async function deliver(
  sink: EventSink,
  interactions: Interaction[],
  registerUser: () => Promise<void>,
): Promise<Delivery & { rejected: string[] }> {
  let registered = false;

  const send = async (batch: Interaction[]): Promise<{ settled: string[]; rejected: string[] }> => {
    const ids = batch.map((interaction) => interaction.event_id ?? "");
    try {
      await sink.track(batch);
      return { settled: ids, rejected: [] };
    } catch (error) {
      if (!(error instanceof FeedServiceError) || error.transient || isCausedByServer(error)) throw error;
      if (error.code === "unknown_user" && !registered) {
        registered = true;
        await registerUser();
        return send(batch);
      }
      // The service may learn of a new user with a short delay, so the browser sends these events again.
      if (error.code === "unknown_user") throw error;
      if (batch.length === 1) {
        return error.code === "clock_ahead" ? { settled: [], rejected: [] } : { settled: ids, rejected: ids };
      }
    }
    const middle = Math.ceil(batch.length / 2);
    const first = await send(batch.slice(0, middle));
    const second = await send(batch.slice(middle)).catch((error: unknown) => {
      if (error instanceof FeedServiceError) return { settled: [], rejected: [] };
      throw error;
    });
    return { settled: [...first.settled, ...second.settled], rejected: [...first.rejected, ...second.rejected] };
  };

  return send(interactions);
}

/** True for a wrong API key, a timeout and a rate limit: these errors do not mean that the events are invalid. */
function isCausedByServer(error: FeedServiceError): boolean {
  return [401, 403, 408, 429].includes(error.status ?? 0);
}
