import type { PostTrace } from "@feed/client";

/** What a filter of the ranking does not let through. */
const FILTERS: Record<string, string> = {
  published: "the post is not visible, deleted, or dated in the future",
  not_own: "the user wrote the post",
  not_excluded: "the user has seen or hidden the post, or mutes or blocks its author",
  not_muted: "the post has a word or a tag that the user mutes",
  visible_to_user:
    "the user may not see it: it is for followers or members, in another language, or sensitive, or its author is not " +
    "discoverable or blocks the user",
};
const EXCLUSIONS: Record<string, string> = {
  seen: "the user has an event with the post, so it counts as seen",
  hidden: "the user hid the post",
  muted_or_blocked_author: "the user mutes or blocks the author",
};
const PAGE_RULES: Record<string, string> = {
  one_per_thread: "A post of the same thread ranks higher, and a page shows one of each thread.",
  author_spacing: "A post of the same author ranks higher, so this one was moved down.",
};

/** Whether the user gets the post on the first page, in one sentence, and why, in others. */
export interface PostVerdict {
  isShown: boolean;
  answer: string;
  reasons: string[];
}

/** Says what became of a post in the ranking of a user. */
export function verdictOf(trace: PostTrace): PostVerdict {
  const { verdict, position, rank, score, sources = [], page_rule } = trace;
  const ranked = rank == null ? [] : [`By its score of ${score?.toFixed(3)} it is number ${rank} of all ranked posts.`];
  const found = sources.length === 0 ? [] : [`Found by: ${sources.join(", ").replaceAll("_", " ")}.`];
  const rule = page_rule == null ? [] : [PAGE_RULES[page_rule] ?? page_rule];
  switch (verdict) {
    case "on_page":
      return {
        isShown: true,
        answer: `Shown: place ${position} of the first page.`,
        reasons: [...ranked, ...rule, ...found],
      };
    case "filtered":
      return { isShown: false, answer: "Not shown: a filter removes it.", reasons: [...removedBy(trace), ...found] };
    case "below_page":
      return {
        isShown: false,
        answer: "Not on the first page: other posts rank higher.",
        reasons: [...ranked, ...rule, ...found],
      };
    case "not_candidate":
      return {
        isShown: false,
        answer: "Not on the first page: no source found it.",
        reasons: ["It is not ranked. It follows after all ranked posts, newest first."],
      };
    default:
      return {
        isShown: false,
        answer: "Not on the first page: the service does not hold it in memory.",
        reasons: ["It is old and without recent events. It follows after the posts in memory."],
      };
  }
}

function removedBy({ removed_by = [], excluded_as = [] }: PostTrace): string[] {
  return removed_by.map((filter) => {
    const isExplained = filter === "not_excluded" && excluded_as.length > 0;
    const reasons = isExplained ? excluded_as.map((reason) => EXCLUSIONS[reason] ?? reason) : [FILTERS[filter]];
    return `Filter ${filter}: ${reasons.filter(Boolean).join("; ") || "no description"}.`;
  });
}
