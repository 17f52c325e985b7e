import { type RawBuilder, sql } from "kysely";
import { searchTerms, webSearchText } from "@/lib/feed/search-terms";
import { type Database, read } from "@/lib/platform/database";

/** The words of a post are searched in this many characters, because PostgreSQL limits the text that it can search. */
const SEARCHED_CHARACTERS = 20_000;

/**
 * A condition that a post `p` matches a search; null if nothing can match. The function `feed_words` of the service
 * makes words, also of each character of a language without spaces: such a word of the search is a phrase. Migration
 * 0020 has an index for this expression.
 */
export async function matches(search: string): Promise<RawBuilder<boolean> | null> {
  const terms = searchTerms(search);
  if (!terms.some(({ kind }) => kind === "wanted")) return null;
  const words = await read((database) =>
    wordsOf(
      database,
      terms.map(({ text }) => text),
    ),
  );
  const query = webSearchText(terms, words);
  return sql<boolean>`to_tsvector('simple', feed_words(left(p.content, ${sql.lit(SEARCHED_CHARACTERS)})))
    @@ websearch_to_tsquery('simple', ${query})`;
}

async function wordsOf(database: Database, texts: readonly string[]): Promise<string[]> {
  const rows = await database
    .selectFrom(
      sql<{ text: string; place: string }>`unnest(${texts}::text[]) WITH ORDINALITY`.as<"t">(sql`t(text, place)`),
    )
    .select(sql<string>`feed_words(t.text)`.as("words"))
    .orderBy("t.place")
    .execute();
  return rows.map(({ words }) => words);
}
