import type { ReactNode } from "react";
import { profilePath, tagPath } from "@/lib/feed/profile";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { findPeople, findTrendingTags } from "@/lib/repositories/discover.repository";
import { MLServiceClient } from "@/lib/services/ml-service";
import { FollowButton } from "./follow-button";
import { Avatar } from "./ui/avatar";

const MAX_TAGS = 6;
const MAX_PEOPLE = 4;

/** Trending tags and people to follow. A part that cannot be read is absent. */
export async function Discover({ viewerId }: { viewerId: string }) {
  const [tags, people] = await Promise.all([
    emptyIfUnavailable(findTrendingTags(viewerId, MAX_TAGS)),
    emptyIfUnavailable(findSuggestedPeople(viewerId)),
  ]);
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-4">
      {people.length > 0 && (
        <Panel id="who-to-follow" title="Who to follow">
          {people.map(({ id, name }) => (
            <li key={id} className="flex items-center gap-3">
              <a href={profilePath(id)} className="flex min-w-0 flex-1 items-center gap-3">
                <Avatar id={id} name={name} size={36} />
                <span className="truncate font-semibold hover:underline">{name}</span>
              </a>
              <FollowButton author={{ id, name, followed: false }} />
            </li>
          ))}
        </Panel>
      )}
      {tags.length > 0 && (
        <Panel id="trending-tags" title="Trending tags">
          {tags.map(({ tag, authorCount }) => (
            <li key={tag} className="flex items-baseline justify-between gap-3">
              <a href={tagPath(tag)} className="min-w-0 font-semibold wrap-anywhere hover:underline">
                #{tag}
              </a>
              <span className="shrink-0 text-sm text-soft">{`${authorCount} authors`}</span>
            </li>
          ))}
        </Panel>
      )}
    </div>
  );
}

function Panel({ id, title, children }: { id: string; title: string; children: ReactNode }) {
  return (
    <section aria-labelledby={id} className="rounded-card border border-line bg-raised p-4">
      <h2 id={id} className="mb-3 font-bold">
        {title}
      </h2>
      <ul className="grid grid-cols-[minmax(0,1fr)] gap-3">{children}</ul>
    </section>
  );
}

async function findSuggestedPeople(viewerId: string) {
  const suggested = await new MLServiceClient().getSuggestedFollows(viewerId, MAX_PEOPLE);
  return findPeople((suggested ?? []).map(({ user_id }) => user_id));
}

async function emptyIfUnavailable<T>(rows: Promise<T[]>): Promise<T[]> {
  try {
    return await rows;
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return [];
    throw error;
  }
}
