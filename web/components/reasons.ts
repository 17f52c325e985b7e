const REASONS: Record<string, { short: string; long: string }> = {
  collaborative_filtering: {
    short: "Readers like you",
    long: "People who engage with the same posts as you engaged with this one.",
  },
  content_similarity: {
    short: "Like what you read",
    long: "It is close in words and topics to posts you have engaged with.",
  },
  trending: { short: "Trending", long: "Many people are engaging with it right now." },
  recent: { short: "New", long: "It is one of the newest posts that you have not met." },
  popular_author: { short: "Popular author", long: "It is fresh, and many people read its author." },
  following: { short: "Following", long: "You follow its author." },
  exploration: {
    short: "Finding out",
    long: "Few people have seen it yet. We show some of those to everyone, to learn whom they are for.",
  },
};

/** A reason in two or three words. */
export function reasonLabel(reason: string): string {
  return REASONS[reason]?.short ?? reason.replaceAll("_", " ");
}

/** A reason as a sentence to the reader. */
export function reasonSentence(reason: string): string {
  return REASONS[reason]?.long ?? reasonLabel(reason);
}

export interface Fact {
  name: string;
  value: number | string;
}

/** The leaves of the service's evidence, under readable names, the weightiest first. */
export function factsOf(evidence: Record<string, unknown>, under = ""): Fact[] {
  const facts = Object.entries(evidence).flatMap(([key, value]): Fact[] => {
    const own = key.replaceAll("_", " ");
    const name = under ? `${under} · ${own}` : own;
    if (typeof value === "number" && Number.isFinite(value)) return [{ name, value }];
    if (typeof value === "string" && value !== "") return [{ name, value }];
    if (Array.isArray(value)) {
      const texts = value.filter((item) => typeof item === "string" || typeof item === "number");
      return texts.length > 0 ? [{ name, value: texts.slice(0, 5).join(", ") }] : [];
    }
    // the outermost groups ("components", say) need no name before each of their facts
    if (typeof value === "object" && value !== null) {
      return factsOf(value as Record<string, unknown>, under ? name : "");
    }
    return [];
  });
  return facts.sort((a, b) => weight(b) - weight(a));
}

const weight = ({ value }: Fact) => (typeof value === "number" ? Math.abs(value) : -1);

/** Two digits that say something. */
export function figure(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toString() : Number(value.toPrecision(2)).toString();
}
