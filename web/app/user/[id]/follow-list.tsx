import { ListPage, type ListPageProps } from "@/app/list-page";
import { currentViewer } from "@/app/viewer";
import { Notice } from "@/components/notice";
import { PersonRow } from "@/components/person-row";
import { ButtonLink } from "@/components/ui/button";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isUuid } from "@/lib/platform/ids";
import { type FollowList, findFollows } from "@/lib/repositories/people.repository";
import { readProfile } from "./profile";

const PEOPLE = 50;

export interface FollowListProps extends ListPageProps {
  params: Promise<{ id: string }>;
}

/** The page of the people who follow a user, or whom a user follows. */
export async function FollowListPage({ list, params, searchParams }: FollowListProps & { list: FollowList }) {
  const profile = await readProfile((await params).id);
  const viewer = await currentViewer();
  const { cursor } = await searchParams;
  const start = typeof cursor === "string" && isUuid(cursor) ? cursor : null;
  const page = profile && (await nullIfUnavailable(findFollows(viewer.id, profile.id, list, start, PEOPLE)));
  if (!page) {
    return (
      <ListPage title={TITLES[list]("this person")}>
        <Notice title="The list is temporarily unavailable">Please reload the page in a moment.</Notice>
      </ListPage>
    );
  }
  return (
    <ListPage title={TITLES[list](profile.name)}>
      {page.people.length === 0 && <Notice title="Nobody yet">The list is empty.</Notice>}
      <ul>
        {page.people.map((person) => (
          <PersonRow key={person.id} person={person} isViewer={person.id === viewer.id} />
        ))}
      </ul>
      {page.nextCursor && (
        <p className="text-center">
          <ButtonLink className="my-7" href={`?cursor=${page.nextCursor}`}>
            More people
          </ButtonLink>
        </p>
      )}
    </ListPage>
  );
}

const TITLES: Record<FollowList, (name: string) => string> = {
  followers: (name) => `Followers of ${name}`,
  following: (name) => `Followed by ${name}`,
};

async function nullIfUnavailable<T>(result: Promise<T>): Promise<T | null> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return null;
    throw error;
  }
}
