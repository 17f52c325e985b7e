const REASONS: Record<string, { short: string; long: string }> = {
  collaborative_filtering: {
    short: "Readers like you",
    long: "People who engage with the same posts as you engaged with this one.",
  },
  content_similarity: {
    short: "Similar content",
    long: "Its text and topics are similar to posts you have engaged with.",
  },
  trending: { short: "Trending", long: "Many people are engaging with it right now." },
  recent: { short: "New", long: "It is one of the newest posts that you have not seen." },
  popular_author: { short: "Popular author", long: "It is new, and many people engage with its author." },
  following: { short: "Following", long: "You follow its author." },
  exploration: {
    short: "Explore",
    long: "Few people have seen it yet. Everyone gets some of these posts, so that we learn who likes them.",
  },
};

/** A short label for a reason of the service. */
export function reasonLabel(reason: string): string {
  return REASONS[reason]?.short ?? reason.replaceAll("_", " ");
}

/** A sentence that explains a reason to the user. */
export function reasonSentence(reason: string): string {
  return REASONS[reason]?.long ?? reasonLabel(reason);
}

/** One value behind a score, with a readable name. */
export interface Fact {
  name: string;
  value: number | string;
}

/** All values of the details of the service at any depth, the largest absolute number first. */
export function flattenDetails(details: Record<string, unknown>, prefix = ""): Fact[] {
  const facts = Object.entries(details).flatMap(([key, value]): Fact[] => {
    const label = key.replaceAll("_", " ");
    const name = prefix ? `${prefix} · ${label}` : label;
    if (typeof value === "number" && Number.isFinite(value)) return [{ name, value }];
    if (typeof value === "string" && value !== "") return [{ name, value }];
    if (Array.isArray(value)) {
      const texts = value.filter((item) => typeof item === "string" || typeof item === "number");
      return texts.length > 0 ? [{ name, value: texts.slice(0, 5).join(", ") }] : [];
    }
    // The names of the outermost groups, such as "components", are omitted.
    if (typeof value === "object" && value !== null) {
      return flattenDetails(value as Record<string, unknown>, prefix ? name : "");
    }
    return [];
  });
  return facts.sort((a, b) => magnitude(b) - magnitude(a));
}

/** Texts have no magnitude, so they come after all numbers. */
const magnitude = ({ value }: Fact) => (typeof value === "number" ? Math.abs(value) : -1);

/** A number with two significant digits, or rounded to an integer from 100 on. */
export function formatNumber(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toString() : Number(value.toPrecision(2)).toString();
}
