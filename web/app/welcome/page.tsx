import { currentViewer } from "@/app/viewer";
import { Notice } from "@/components/notice";
import { Choice } from "@/components/settings/choice";
import { ResultMessage } from "@/components/settings/result-message";
import { SettingsForm } from "@/components/settings/settings-form";
import { Button, ButtonLink } from "@/components/ui/button";
import { MIN_INTERESTS } from "@/lib/feed/settings";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { findPeople, findTrendingTags } from "@/lib/repositories/discover.repository";
import { findInterests, type Interests } from "@/lib/repositories/interest.repository";
import type { NamedUser } from "@/lib/repositories/user.repository";
import { MLServiceClient } from "@/lib/services/ml-service";
import { messageOf } from "../settings/messages";
import { fieldValues, readOutcome, type SettingsQuery } from "../settings/query";

export const metadata = { title: "Choose interests" };

const MAX_TAGS = 24;
const MAX_PEOPLE = 12;

/** Tags and people to choose from, with those that the user has chosen before. */
export default async function WelcomePage({ searchParams }: { searchParams: Promise<SettingsQuery> }) {
  const query = await searchParams;
  const { id: user } = await currentViewer();
  const choices = await readChoices(user);
  const outcome = readOutcome(query);
  return (
    <main id="main" className="mx-auto w-full max-w-176 min-w-0 md:pb-24">
      <header className="px-gutter py-3 md:px-1">
        <h1>What are you interested in?</h1>
        <p className="mt-1 text-soft">
          Choose {MIN_INTERESTS} or more tags or people. Your feed begins with them, and learns from what you read and
          like.
        </p>
      </header>
      <div className="overflow-clip border-y border-line bg-raised md:rounded-card md:border-x">
        {outcome && <ResultMessage failed>{messageOf("interests", outcome.result, null)}</ResultMessage>}
        {choices === null ? (
          <Notice title="The choice is temporarily unavailable">Please reload the page in a moment.</Notice>
        ) : choices.tags.length + choices.people.length < MIN_INTERESTS ? (
          <Notice title="Nothing to choose from yet">There are not enough posts yet. Please come back later.</Notice>
        ) : (
          <InterestsForm
            user={user}
            {...choices}
            chosen={
              outcome
                ? { tags: fieldValues(query, "tags"), authors: fieldValues(query, "authors") }
                : { tags: choices.interests.tags, authors: choices.interests.authors.map(({ id }) => id) }
            }
          />
        )}
      </div>
    </main>
  );
}

interface Choices {
  tags: string[];
  people: NamedUser[];
  interests: Interests;
}

/** What the user can choose; null if it cannot be read. */
async function readChoices(user: string): Promise<Choices | null> {
  try {
    const [trending, suggested, interests] = await Promise.all([
      findTrendingTags(user, MAX_TAGS),
      new MLServiceClient().getSuggestedFollows(user, MAX_PEOPLE),
      findInterests(user),
    ]);
    const people = await findPeople((suggested ?? []).map(({ user_id }) => user_id));
    const isNew = ({ id }: NamedUser) => interests.authors.every((author) => author.id !== id);
    return {
      tags: [...new Set([...interests.tags, ...trending.map(({ tag }) => tag)])],
      people: [...interests.authors, ...people.filter(isNew)],
      interests,
    };
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return null;
    throw error;
  }
}

interface InterestsFormProps {
  user: string;
  tags: string[];
  people: NamedUser[];
  chosen: { tags: string[]; authors: string[] };
}

function InterestsForm({ user, tags, people, chosen }: InterestsFormProps) {
  return (
    <SettingsForm name="interests" user={user} className="grid gap-6 px-gutter py-6">
      {tags.length > 0 && (
        <fieldset>
          <legend className="mb-2 font-semibold">Tags</legend>
          <div className="flex flex-wrap gap-2">
            {tags.map((tag) => (
              <Choice key={tag} name="tags" value={tag} label={`#${tag}`} defaultChecked={chosen.tags.includes(tag)} />
            ))}
          </div>
        </fieldset>
      )}
      {people.length > 0 && (
        <fieldset>
          <legend className="mb-2 font-semibold">People</legend>
          <p className="mb-2 text-sm text-soft">You follow those whom you choose.</p>
          <div className="grid grid-cols-[repeat(auto-fill,minmax(13rem,1fr))] gap-2">
            {people.map(({ id, name }) => (
              <Choice key={id} name="authors" value={id} label={name} defaultChecked={chosen.authors.includes(id)} />
            ))}
          </div>
        </fieldset>
      )}
      <div className="flex flex-wrap gap-2">
        <Button type="submit" variant="primary">
          Show my feed
        </Button>
        <ButtonLink href="/">Not now</ButtonLink>
      </div>
    </SettingsForm>
  );
}
