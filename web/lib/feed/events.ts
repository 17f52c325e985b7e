import { type Delivery, type FeedEvent, FeedServiceError, type Interaction, type InteractionType } from "@feed/client";
import { z } from "zod";
import { uuid } from "@/lib/platform/body";

const INTERACTION_TYPES = ["view", "click", "like", "comment", "share"] as const satisfies readonly InteractionType[];
/** The type of an event in the body of a request. */
export const interactionType = z.enum(INTERACTION_TYPES, `must be one of ${INTERACTION_TYPES.join(", ")}`);
export const MAX_EVENTS = 200;
/** A smaller difference to the browser's clock is not corrected, because it includes the delay of the network. */
const TOLERATED_CLOCK_SKEW_MS = 2000;

/** The destination of events. The application uses the recommendation service. */
export interface EventSink {
  track(interactions: Interaction[]): Promise<unknown>;
}

const EVENTS_RULE = `must be a list of 1..${MAX_EVENTS} events`;

/** The body of `POST /api/events`. `sent_at` is the time of the browser's clock; null if it is not a valid one. */
export const eventsBody = z.object(
  {
    user: z.string("must be a string").optional(),
    events: z
      .array(
        z.object(
          {
            event_id: uuid,
            post_id: uuid,
            interaction_type: interactionType,
            occurred_at: z.string("must be a time").refine(isTime, "must be a time"),
            metadata: z.record(z.string(), z.unknown(), "must be an object").optional(),
            request_id: z.string("must be a string").nullish(),
          },
          "must be an event",
        ),
        EVENTS_RULE,
      )
      .min(1, EVENTS_RULE)
      .max(MAX_EVENTS, EVENTS_RULE),
    sent_at: z
      .unknown()
      .optional()
      .transform((time) => (typeof time === "string" && isTime(time) ? Date.parse(time) : null)),
  },
  "must be an object",
);

function isTime(text: string): boolean {
  return !Number.isNaN(Date.parse(text));
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
