import { ListPage, type ListPageProps, PostsOfList } from "@/app/list-page";
import { currentViewer } from "@/app/viewer";
import { Notice } from "@/components/notice";
import { PersonRow } from "@/components/person-row";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/text-field";
import { type Person, tagPath } from "@/lib/feed/profile";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { searchPeople } from "@/lib/repositories/people.repository";

export const metadata = { title: "Search" };

const MAX_LENGTH = 200;
const MAX_PEOPLE = 5;
/** A search that can be a tag. */
const TAG = /^#?[\p{L}\p{N}_]+$/u;

interface SearchPageProps extends ListPageProps {
  searchParams: Promise<{ q?: string | string[]; cursor?: string | string[] }>;
}

/** The people and posts that match a search. Works without JavaScript. */
export default async function SearchPage({ searchParams }: SearchPageProps) {
  const { q, cursor } = await searchParams;
  const search = (typeof q === "string" ? q : "").replaceAll("\0", "").trim().slice(0, MAX_LENGTH);
  const viewer = await currentViewer();
  return (
    <ListPage title="Search">
      <search>
        <form action="/search" className="flex gap-2 border-b border-line px-gutter py-4">
          <TextField
            key={search}
            className="flex-1"
            type="search"
            name="q"
            aria-label="Words or names"
            placeholder="Words or names"
            defaultValue={search}
            maxLength={MAX_LENGTH}
            dir="auto"
          />
          <Button type="submit" variant="primary">
            Search
          </Button>
        </form>
      </search>
      {search === "" ? (
        <Notice title="Search posts and people">{HELP}</Notice>
      ) : (
        <>
          {TAG.test(search) && (
            <p className="border-b border-line px-gutter py-3">
              <a href={tagPath(search.replace(/^#/, ""))} className="font-semibold hover:underline">
                Posts with the tag #{search.replace(/^#/, "")}
              </a>
            </p>
          )}
          {cursor === undefined && <People viewerId={viewer.id} search={search} />}
          <section aria-labelledby="found-posts">
            <h2 id="found-posts" className="px-gutter pt-5 pb-1 font-bold">
              Posts
            </h2>
            <PostsOfList
              viewerId={viewer.id}
              name={{ list: "search", of: search }}
              label="Posts that match the search"
              empty={{ title: "No posts found", text: HELP }}
              searchParams={searchParams}
              parameters={{ q: search }}
            />
          </section>
        </>
      )}
    </ListPage>
  );
}

const HELP =
  'All words have to occur. "two words" finds them together, -word leaves posts with it out, and or is a choice.';

/** The people who match; absent if there are none, or if they cannot be read now. */
async function People({ viewerId, search }: { viewerId: string; search: string }) {
  let people: Person[];
  try {
    people = await searchPeople(viewerId, search, MAX_PEOPLE);
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
    people = [];
  }
  if (people.length === 0) return null;
  return (
    <section aria-labelledby="found-people">
      <h2 id="found-people" className="px-gutter pt-5 pb-1 font-bold">
        People
      </h2>
      <ul>
        {people.map((person) => (
          <PersonRow key={person.id} person={person} isViewer={person.id === viewerId} />
        ))}
      </ul>
    </section>
  );
}
