import type { RecommendationPage, UserOverview } from "@feed/client";
import { notFound } from "next/navigation";
import { ConsolePage } from "@/components/operator/console-page";
import { PostColumn } from "@/components/operator/post-column";
import { Remark, Section } from "@/components/operator/section";
import { ServedList } from "@/components/operator/served-list";
import { UserHistory } from "@/components/operator/user-history";
import { WhyNot } from "@/components/operator/why-not";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/text-field";
import type { PostWithUser } from "@/lib/feed/post";
import { getsRankedFeed } from "@/lib/feed/rollout";
import { config } from "@/lib/platform/config";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isId, isUuid } from "@/lib/platform/ids";
import { findPeople } from "@/lib/repositories/discover.repository";
import { findEligiblePosts, findPosts, findTrendingPosts } from "@/lib/repositories/post.repository";
import { type DemoUser, findUsers } from "@/lib/repositories/user.repository";
import { AdminService } from "@/lib/services/admin-service";
import type { Answer } from "@/lib/services/answer";

export const metadata = { title: "User" };

const MAX_SERVED = 20;
const MAX_EVENTS = 50;
const MAX_FOLLOWS = 100;
const MAX_SUGGESTED = 40;
const POSTS_PER_LIST = 10;

interface UserPageProps {
  searchParams: Promise<{ user?: string | string[]; post?: string | string[] }>;
}

export default async function UserPage({ searchParams }: UserPageProps) {
  if (!config.operatorPage) notFound();
  const given = await searchParams;
  const userId = idOf(given.user);
  const postId = idOf(given.post);
  const [users, content] = await Promise.all([
    orNull(() => findUsers("", "", MAX_SUGGESTED)),
    userId === "" ? null : inspect(userId, postId),
  ]);
  return (
    <ConsolePage name="User" about="What one person gets, why, and what the feed knows about them.">
      <UserForm userId={userId} users={users} />
      {content}
    </ConsolePage>
  );
}

function idOf(given: string | string[] | undefined): string {
  const id = typeof given === "string" ? given.trim() : "";
  return isId(id) ? id : "";
}

async function inspect(userId: string, postId: string) {
  const service = new AdminService();
  const [page, overview, trace, newest, trending] = await Promise.all([
    service.servedPage(userId, MAX_SERVED),
    service.user(userId, MAX_SERVED),
    postId === "" ? null : service.explain(userId, postId),
    orNull(() =>
      findEligiblePosts(userId, { mode: "newest", limit: POSTS_PER_LIST, excludeSeqs: new Set(), includeSeen: true }),
    ),
    orNull(() => findTrendingPosts(userId, POSTS_PER_LIST)),
  ]);
  const [posts, people] = await Promise.all([
    orNull(() => findPosts(userId, idsOfPosts(page.value, overview.value, trace?.value?.post_id))),
    orNull(() => findPeople(idsOfPeople(overview.value))),
  ]);
  const postById = new Map((posts ?? []).map((post) => [post.id, post]));
  const rankedIds = new Set(page.value?.recommendations.map(({ post_id }) => post_id));
  return (
    <>
      <Section id="list" title={`What ${userId} gets, and why`}>
        <Summary userId={userId} page={page} overview={overview} />
        {page.value && <ServedList posts={servedPosts(page.value, overview.value, postById)} />}
      </Section>
      <Section id="why-not" title="Why not this post?">
        <WhyNot
          userId={userId}
          postId={postId}
          trace={trace}
          post={postById.get(trace?.value?.post_id ?? "") ?? null}
        />
      </Section>
      {overview.value && (
        <UserHistory
          overview={overview.value}
          posts={postById}
          people={new Map((people ?? []).map(({ uuid, name }) => [uuid, name]))}
        />
      )}
      <Section id="other-orders" title="The same person’s posts in other orders">
        <div className="grid grid-cols-[repeat(auto-fit,minmax(min(16rem,100%),1fr))] gap-3.5">
          <PostColumn title="Newest" posts={newest} rankedIds={rankedIds} />
          <PostColumn title="Trending" posts={trending} rankedIds={rankedIds} />
        </div>
      </Section>
    </>
  );
}

/** The result of a query; null if the database is unavailable. */
async function orNull<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return null;
    throw error;
  }
}

function idsOfPosts(page: RecommendationPage | null, overview: UserOverview | null, explained?: string): string[] {
  const ids = [
    ...(page?.recommendations ?? []).map(({ post_id }) => post_id),
    ...(overview?.events ?? []).slice(0, MAX_EVENTS).map(({ post_id }) => post_id),
    ...(overview?.controls ?? []).map(({ post_id }) => post_id),
    explained,
  ];
  return [...new Set(ids)].filter((id): id is string => id != null && isUuid(id));
}

function idsOfPeople(overview: UserOverview | null): string[] {
  const authors = (overview?.controls ?? []).map(({ author_id }) => author_id);
  const ids = new Set([...(overview?.follows ?? []).slice(0, MAX_FOLLOWS), ...authors]);
  return [...ids].filter((id): id is string => id != null && isUuid(id));
}

function servedPosts(
  page: RecommendationPage,
  overview: UserOverview | null,
  postById: ReadonlyMap<string, PostWithUser>,
) {
  const sources = new Map(overview?.recommendations.map((listed) => [listed.post_id, listed.sources]));
  return page.recommendations.map((recommendation) => ({
    recommendation,
    post: postById.get(recommendation.post_id) ?? null,
    sources: sources.get(recommendation.post_id) ?? null,
  }));
}

interface SummaryProps {
  userId: string;
  page: Answer<RecommendationPage>;
  overview: Answer<UserOverview>;
}

/** What kind of list the user gets, and what is missing. */
function Summary({ userId, page, overview }: SummaryProps) {
  const problems = new Set([page.problem, overview.problem].filter((problem) => problem !== null));
  const { source, degraded, model_version } = page.value?.metadata ?? {};
  const count = overview.value?.event_count;
  const sentences = {
    personalized: `The list is ranked for ${userId}${count === undefined ? "" : ` by ${count} events`}.`,
    cold_start: `${userId} has no event yet and gets the list of a new user.`,
    fallback: "No model serves, so a simple ranking made the list.",
  };
  return (
    <div className="mb-3 grid gap-1 text-md">
      {source && (
        <p>
          {sentences[source] ?? source} Version {model_version ?? "none"} made it{degraded && ", degraded"}. Every post
          below passed the filters: published, not their own, not seen, hidden or muted, and visible to them.
        </p>
      )}
      {!getsRankedFeed(userId, config.feedPercent) && (
        <p>{userId} is outside the roll-out, so the application shows them the newest posts instead.</p>
      )}
      {[...problems].map((problem) => (
        <Remark key={problem}>{problem}</Remark>
      ))}
    </div>
  );
}

function UserForm({ userId, users }: { userId: string; users: DemoUser[] | null }) {
  return (
    <div className="mb-6">
      <form method="get" className="flex flex-wrap items-center gap-3">
        <label htmlFor="user">User</label>
        <TextField
          className="w-85 max-w-full"
          id="user"
          name="user"
          defaultValue={userId}
          list="users"
          maxLength={128}
          autoComplete="off"
        />
        <datalist id="users">
          {(users ?? []).map((user) => (
            <option key={user.id} value={user.id}>
              {user.name}
            </option>
          ))}
        </datalist>
        <Button type="submit">Show</Button>
      </form>
      {users === null && <Remark>The database does not respond, so names and texts are missing.</Remark>}
      {userId === "" && (
        <ul className="mt-4 flex flex-wrap gap-2 text-sm" aria-label="Some users">
          {(users ?? []).slice(0, 12).map((user) => (
            <li key={user.id}>
              <a
                href={`/operator/user?user=${encodeURIComponent(user.id)}`}
                className="block rounded-full border border-line bg-raised px-3.5 py-2 hover:bg-sunken"
              >
                {user.name} ({user.id})
              </a>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
