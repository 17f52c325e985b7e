import type { Health, Recommendation } from "@feed/client";
import { notFound } from "next/navigation";
import type { ReactNode } from "react";
import { currentViewer } from "@/app/viewer";
import { ConsolePage } from "@/components/operator/console-page";
import { Button } from "@/components/ui/button";
import { cn } from "@/components/ui/cn";
import { TextField } from "@/components/ui/text-field";
import type { PostWithUser } from "@/lib/feed/post";
import { getsRankedFeed } from "@/lib/feed/rollout";
import { config } from "@/lib/platform/config";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isId } from "@/lib/platform/ids";
import { findEligiblePosts, findPosts, findTrendingPosts } from "@/lib/repositories/post.repository";
import { type DemoUser, findUsers } from "@/lib/repositories/user.repository";
import { MLServiceClient } from "@/lib/services/ml-service";

export const metadata = { title: "Operator" };

const POSTS_PER_LIST = 10;
const MAX_SUGGESTED_USERS = 40;

export default async function OperatorPage({ searchParams }: { searchParams: Promise<{ user?: string }> }) {
  if (!config.operatorPage) notFound();
  const viewer = await currentViewer();
  const requestedUser = (await searchParams).user?.trim();
  const userId = requestedUser && isId(requestedUser) ? requestedUser : viewer.id;

  const service = new MLServiceClient();
  const [health, ranked, newest, trending, users] = await Promise.all([
    service.getHealth(),
    fetchRankedPosts(service, userId),
    nullIfUnavailable(() =>
      findEligiblePosts(userId, { mode: "newest", limit: POSTS_PER_LIST, excludeSeqs: new Set(), includeSeen: true }),
    ),
    nullIfUnavailable(() => findTrendingPosts(userId, POSTS_PER_LIST)),
    nullIfUnavailable(() => findUsers(viewer.id, "", MAX_SUGGESTED_USERS)),
  ]);

  return (
    <ConsolePage name="Traffic" about="The state of the service, and the lists of one user.">
      <section aria-labelledby="state" className="mb-9">
        <h2 className="mb-3 font-bold" id="state">
          State
        </h2>
        <StateTiles health={health} databaseAvailable={newest !== null} />
        {health && <Details report={health} />}
      </section>
      <section aria-labelledby="compare" className="mb-9">
        <h2 className="mb-3 font-bold" id="compare">
          One user’s lists, side by side
        </h2>
        <UserForm userId={userId} users={users ?? []} />
        <div className="grid grid-cols-[repeat(auto-fit,minmax(16rem,1fr))] gap-3.5">
          <Column title="Ranked" posts={ranked?.posts ?? null} note={ranked?.note} newest={newest} />
          <Column title="Newest" posts={newest} newest={null} />
          <Column title="Trending" posts={trending} newest={null} />
        </div>
      </section>
    </ConsolePage>
  );
}

async function fetchRankedPosts(service: MLServiceClient, userId: string) {
  return nullIfUnavailable(async () => {
    const page = await service.getRecommendationPage({
      user_id: userId,
      limit: POSTS_PER_LIST,
      context: { mode: "ranked" },
    });
    if (page === null) return null;
    const recommendations = new Map(page.recommendations.map((item) => [item.post_id, item]));
    const posts = await findPosts(userId, [...recommendations.keys()]);
    return {
      posts: posts.map((post) => ({ ...post, recommendation: recommendations.get(post.id) })),
      note: page.metadata.source.replace("_", " ") + (page.metadata.degraded ? ", degraded" : ""),
    };
  });
}

/** The result of a query; null if the database is unavailable. */
async function nullIfUnavailable<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return null;
    throw error;
  }
}

function StateTiles({ health, databaseAvailable }: { health: Health | null; databaseAvailable: boolean }) {
  return (
    <div className="tiles grid grid-cols-[repeat(auto-fit,minmax(10.5rem,1fr))] gap-3">
      <Tile label="Service" tone={health === null ? "bad" : health.status === "healthy" ? "good" : "fair"}>
        {health?.status ?? "no response"}
      </Tile>
      <Tile label="Database" tone={databaseAvailable ? "good" : "bad"}>
        {databaseAvailable ? "available" : "no response"}
      </Tile>
      <Tile label="Model" tone={health?.model_loaded ? "good" : "fair"}>
        {health?.model_version ?? "none"}
      </Tile>
      <Tile label="Ranked feed" tone="good">
        {`${config.feedPercent} % of users`}
      </Tile>
    </div>
  );
}

const DOT = { good: "bg-good", fair: "bg-fair", bad: "bg-bad" };

function Tile({ label, tone, children }: { label: string; tone: "good" | "fair" | "bad"; children: ReactNode }) {
  return (
    <div className="grid gap-1 rounded-card border border-line bg-raised px-4.5 py-3.5">
      <span className="text-sm text-soft">{label}</span>
      <strong className="text-lg font-semibold wrap-anywhere">
        <span aria-hidden="true" className={cn("mr-2 inline-block size-2.5 rounded-full", DOT[tone])} />
        {children}
      </strong>
    </div>
  );
}

/** The fields of the health report that have no tile. */
function Details({ report }: { report: Record<string, unknown> }) {
  const rows = Object.entries(report).filter(([name]) => !["status", "model_version", "model_loaded"].includes(name));
  return (
    <dl className="mt-3.5 grid grid-cols-[repeat(auto-fill,minmax(16rem,1fr))] gap-x-6 gap-y-1 text-sm">
      {rows.map(([name, value]) => (
        <div key={name} className="flex justify-between gap-3 border-b border-line py-1.5">
          <dt className="text-soft">{name.replaceAll("_", " ")}</dt>
          <dd className="text-right wrap-anywhere tabular-nums">{formatValue(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

function formatValue(value: unknown): string {
  if (value === null) return "–";
  if (typeof value === "number") return value.toLocaleString("en", { maximumFractionDigits: 1 });
  return typeof value === "string" ? value : JSON.stringify(value);
}

function UserForm({ userId, users }: { userId: string; users: DemoUser[] }) {
  const isRanked = getsRankedFeed(userId, config.feedPercent);
  return (
    <form method="get" className="mb-4 flex flex-wrap items-center gap-3">
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
        {users.map((user) => (
          <option key={user.id} value={user.id}>
            {user.name}
          </option>
        ))}
      </datalist>
      <Button type="submit">Show</Button>
      <span className="text-sm text-soft">
        {isRanked ? "gets the ranked feed" : "outside the roll-out: gets the newest posts"}
      </span>
    </form>
  );
}

interface ListedPost extends PostWithUser {
  recommendation?: Recommendation;
}

interface ColumnProps {
  title: string;
  posts: ListedPost[] | null;
  note?: string;
  /** The newest posts; null if the list is not compared with them. A post in both lists is marked. */
  newest: PostWithUser[] | null;
}

function Column({ title, posts, note, newest }: ColumnProps) {
  const newestIds = new Set((newest ?? []).map((post) => post.id));
  return (
    <section className="rounded-card border border-line bg-raised px-4.5 py-4" aria-label={title}>
      <h3 className="mb-1.5 text-lg font-bold">
        {title} {note && <small className="text-xs font-normal text-soft">{note}</small>}
      </h3>
      {posts === null && <p className="text-sm text-soft">Unavailable.</p>}
      {posts?.length === 0 && <p className="text-sm text-soft">No posts.</p>}
      <ol>
        {(posts ?? []).map((post) => (
          <li key={post.id} className="border-t border-line py-2.5">
            <p className="line-clamp-2 text-md wrap-anywhere">{post.content ?? post.externalId}</p>
            <small className="text-xs text-soft">
              {post.author?.name ?? "unknown"} · {post.createdAt.slice(0, 10)} · {post.likeCount} likes
              {post.recommendation && ` · ${reasonAndScore(post.recommendation)}`}
              {newestIds.has(post.id) && " · also in newest"}
            </small>
          </li>
        ))}
      </ol>
    </section>
  );
}

function reasonAndScore({ reason, score }: Recommendation): string {
  return `${reason.replaceAll("_", " ")} ${score.toFixed(2)}`;
}
