import { notFound } from "next/navigation";
import type { ReactNode } from "react";
import { reasonLabel } from "@/components/reasons";
import { config } from "@/lib/platform/config";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isId } from "@/lib/platform/ids";
import { readModelRegistry, tellingFigures } from "@/lib/feed/model-registry";
import type { PostWithUser } from "@/lib/feed/post";
import { choosePosts, findPosts, findTrending } from "@/lib/repositories/post.repository";
import { findUsers } from "@/lib/repositories/user.repository";
import { getsRankedFeed } from "@/lib/feed/rollout";
import { MLServiceClient } from "@/lib/services/ml-service";
import { currentViewer } from "@/app/viewer";

export const metadata = { title: "Operator" };

const COMPARED = 10;
const FIGURES_SHOWN = 5;

export default async function OperatorPage({ searchParams }: { searchParams: Promise<{ user?: string }> }) {
  if (!config.operatorPage) notFound();
  const viewer = await currentViewer();
  const asked = (await searchParams).user?.trim();
  const user = asked && isId(asked) ? asked : viewer.id;

  const service = new MLServiceClient();
  const [health, models, ranked, newest, trending, users] = await Promise.all([
    service.getHealth(),
    readModelRegistry(),
    rankedFor(service, user),
    orNull(() => choosePosts(user, "newest", { limit: COMPARED, without: new Set(), metAllowed: true })),
    orNull(() => findTrending(user, COMPARED)),
    orNull(() => findUsers("", 40)),
  ]);
  const figureNames = tellingFigures(models ?? [], FIGURES_SHOWN);

  return (
    <main id="main" className="operator">
      <header className="page-header">
        <h1>Operator</h1>
        <p className="quiet">What the service says of itself, and what one user gets from it.</p>
      </header>

      <section aria-labelledby="state" className="panel-group">
        <h2 id="state">State</h2>
        <div className="tiles">
          <Tile label="Service" tone={health === null ? "bad" : health.status === "healthy" ? "good" : "fair"}>
            {health?.status ?? "no answer"}
          </Tile>
          <Tile label="Database" tone={newest === null ? "bad" : "good"}>
            {newest === null ? "no answer" : "answering"}
          </Tile>
          <Tile label="Model" tone={health?.model_loaded ? "good" : "fair"}>
            {health?.model_version ?? "none"}
          </Tile>
          <Tile label="Ranked feed for" tone="good">
            {`${config.feedPercent} % of users`}
          </Tile>
        </div>
        {health && <Details report={health} />}
      </section>

      <section aria-labelledby="models" className="panel-group">
        <h2 id="models">Models</h2>
        {models === null || models.length === 0 ? (
          <p className="quiet">No registry can be read from here.</p>
        ) : (
          <div className="table-frame" tabIndex={0} role="region" aria-label="Model versions">
            <table>
              <thead>
                <tr>
                  <th scope="col">Version</th>
                  <th scope="col">Status</th>
                  <th scope="col">Trained</th>
                  {figureNames.map((name) => (
                    <th scope="col" key={name} className="number">
                      {name}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {models.slice(0, 12).map((model) => (
                  <tr key={model.version}>
                    <th scope="row">{model.version}</th>
                    <td>
                      <span className={`status ${model.status}`}>{model.status}</span>
                    </td>
                    <td>{model.createdAt?.slice(0, 16).replace("T", " ")}</td>
                    {figureNames.map((name) => (
                      <td key={name} className="number">
                        {model.metrics[name]?.toFixed(3)}
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>

      <section aria-labelledby="compare" className="panel-group">
        <h2 id="compare">One user’s lists, side by side</h2>
        <form method="get" className="inline-form">
          <label htmlFor="user">User</label>
          <input id="user" name="user" defaultValue={user} list="users" maxLength={128} autoComplete="off" />
          <datalist id="users">
            {(users ?? []).map((other) => (
              <option key={other.id} value={other.id}>
                {other.name}
              </option>
            ))}
          </datalist>
          <button type="submit" className="quiet-button">
            Show
          </button>
          <span className="quiet">
            {getsRankedFeed(user, config.feedPercent) ? "in the ranked share" : "outside the ranked share: gets newest"}
          </span>
        </form>
        <div className="columns">
          <Column title="Ranked" posts={ranked?.posts ?? null} note={ranked?.note} others={newest} />
          <Column title="Newest" posts={newest} others={null} />
          <Column title="Trending" posts={trending} others={null} />
        </div>
      </section>
    </main>
  );
}

async function rankedFor(service: MLServiceClient, user: string) {
  return orNull(async () => {
    const page = await service.getRecommendations(user, COMPARED, { context: { mode: "ranked", explain: true } });
    if (page === null) return null;
    const chosen = new Map(page.recommendations.map((item) => [item.post_id, item]));
    const posts = await findPosts(user, [...chosen.keys()]);
    return {
      posts: posts.map((post) => {
        const item = chosen.get(post.id);
        return { ...post, why: item ? { reason: item.reason, score: item.score, evidence: {} } : null };
      }),
      note: page.metadata.source.replace("_", " ") + (page.metadata.degraded ? ", degraded" : ""),
    };
  });
}

async function orNull<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return null;
    throw error;
  }
}

function Tile({ label, tone, children }: { label: string; tone: "good" | "fair" | "bad"; children: ReactNode }) {
  return (
    <div className={`tile ${tone}`}>
      <span className="label">{label}</span>
      <strong>{children}</strong>
    </div>
  );
}

/** Whatever else the health report says, at the first level. */
function Details({ report }: { report: Record<string, unknown> }) {
  const rows = Object.entries(report).filter(([name]) => !["status", "model_version", "model_loaded"].includes(name));
  return (
    <dl className="details">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name.replaceAll("_", " ")}</dt>
          <dd>{told(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

function told(value: unknown): string {
  if (value === null) return "–";
  if (typeof value === "number") return value.toLocaleString("en", { maximumFractionDigits: 1 });
  return typeof value === "string" ? value : JSON.stringify(value);
}

interface ColumnProps {
  title: string;
  posts: PostWithUser[] | null;
  note?: string;
  /** Of another list; a post that is there as well is marked. */
  others: PostWithUser[] | null;
}

function Column({ title, posts, note, others }: ColumnProps) {
  const elsewhere = new Set((others ?? []).map((post) => post.id));
  return (
    <section className="compare" aria-label={title}>
      <h3>
        {title} {note && <small>{note}</small>}
      </h3>
      {posts === null && <p className="quiet">No answer.</p>}
      {posts?.length === 0 && <p className="quiet">Nothing.</p>}
      <ol>
        {(posts ?? []).map((post) => (
          <li key={post.id}>
            <p>{post.content ?? post.externalId}</p>
            <small>
              {post.author?.name ?? "unknown"} · {post.createdAt.slice(0, 10)} · {post.likeCount} likes
              {post.why && ` · ${reasonLabel(post.why.reason)} ${post.why.score.toFixed(2)}`}
              {elsewhere.has(post.id) && " · also newest"}
            </small>
          </li>
        ))}
      </ol>
    </section>
  );
}
