/** A word or a quoted phrase of a search. */
export interface SearchTerm {
  text: string;
  kind: "wanted" | "excluded" | "or";
}

/** A minus sign and a phrase, of which the second quotation mark may be missing, or text without spaces. */
const TERM = /(-?)"([^"]*)"?|(\S+)/gu;

/** The terms of a search in the syntax of web search engines: `"two words"` is a phrase, `-word` excludes, `or` joins. */
export function searchTerms(search: string): SearchTerm[] {
  return [...search.matchAll(TERM)].map(([, minus, phrase, word = ""]): SearchTerm => {
    if (phrase !== undefined) return { text: phrase, kind: minus ? "excluded" : "wanted" };
    if (word.toLowerCase() === "or") return { text: "or", kind: "or" };
    return word.startsWith("-") && word.length > 1
      ? { text: word.slice(1), kind: "excluded" }
      : { text: word, kind: "wanted" };
  });
}

/** The terms as input of PostgreSQL's `websearch_to_tsquery`; `words` are the words of each term. */
export function webSearchText(terms: readonly SearchTerm[], words: readonly string[]): string {
  return terms
    .map(({ kind }, index) =>
      kind === "or" ? "or" : `${kind === "excluded" ? "-" : ""}"${words[index]?.trim() ?? ""}"`,
    )
    .join(" ");
}
