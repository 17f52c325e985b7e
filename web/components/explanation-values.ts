import type { PostExplanation } from "@/lib/feed/post";

/** Features of the ranking, and parts of its formula, as a reader understands them. Some share a name. */
const FACTOR_NAMES: Record<string, readonly string[]> = {
  "You follow its author": ["follows_author"],
  "You read its author": ["author_affinity"],
  "You read its topic": ["topic_affinity", "topic_of_last_event"],
  "Its text is like what you read": ["text_similarity", "content"],
  "People with similar interests": ["knn_support", "collaborative"],
  "Likes, comments and shares": [
    "decayed_engagement",
    "log_decayed_engagement",
    "decayed_strong_engagement",
    "idle_time_and_events",
    "no_engagement",
    "hacker_news_rank",
    "engagement_within_topic",
    "engagement_for_new_users",
    "engagement_by_age_gap",
    "trending",
  ],
  "How new it is": ["post_age", "newer_posts", "usual_age_gap", "recency"],
  "Its author is popular": ["author_popularity"],
  "You have seen it before": ["seen_before", "ignored_before"],
};
const OTHER_FACTORS = "Other";
const NAME_BY_FACTOR = new Map(
  Object.entries(FACTOR_NAMES).flatMap(([name, factors]) => factors.map((factor) => [factor, name] as const)),
);

/** One bar of an explanation: positive if it raises the score. */
export interface Bar {
  name: string;
  value: number;
}

/** What raises and lowers the score under readable names, the largest absolute value first, without zeros. */
export function barsOf(explanation: PostExplanation): Bar[] {
  const sums = new Map<string, number>();
  for (const [factor, value] of factorsOf(explanation)) {
    const name = NAME_BY_FACTOR.get(factor) ?? OTHER_FACTORS;
    sums.set(name, (sums.get(name) ?? 0) + value);
  }
  return [...sums]
    .map(([name, value]) => ({ name, value }))
    .filter(({ value }) => formatNumber(value) !== "0")
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
}

/** The factors of the learned model; of another ranking, those of its values that have a readable name. */
function factorsOf({ factors, ...values }: PostExplanation): [string, number][] {
  const isLearned = typeof factors === "object" && factors !== null;
  const entries = Object.entries(isLearned ? factors : values);
  return entries.filter(
    (entry): entry is [string, number] => typeof entry[1] === "number" && (isLearned || NAME_BY_FACTOR.has(entry[0])),
  );
}

/** One value of an explanation as the service names it. */
export interface RawValue {
  name: string;
  text: string;
}

/** The values of an explanation at any depth, in the order of the service. */
export function rawValues(values: Record<string, unknown>, prefix = ""): RawValue[] {
  return Object.entries(values).flatMap(([key, value]): RawValue[] => {
    const name = prefix + key;
    if (typeof value === "number") return [{ name, text: formatNumber(value) }];
    if (typeof value === "string" || typeof value === "boolean") return [{ name, text: String(value) }];
    if (Array.isArray(value)) return [{ name, text: value.join(", ") }];
    return value === null || typeof value !== "object" ? [] : rawValues(value as Record<string, unknown>, `${name} · `);
  });
}

/** A number with two significant digits, or rounded to an integer from 100 on; below .01, zero. */
export function formatNumber(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toString();
  return Math.abs(value) < 0.01 ? "0" : Number(value.toPrecision(2)).toString();
}
