import type { UserOverview } from "@feed/client";
import type { ReactNode } from "react";
import type { PostWithUser } from "@/lib/feed/post";
import { FigureTable } from "./figure-table";
import { formatName, formatTime } from "./names";
import { Remark, Section } from "./section";

const MAX_EVENTS = 50;

interface UserHistoryProps {
  overview: UserOverview;
  /** The posts of events and controls by id, of those that the user may see. */
  posts: ReadonlyMap<string, PostWithUser>;
  /** The names of users by UUID. */
  people: ReadonlyMap<string, string>;
}

/** What the feed knows about a user: settings, controls, follows and the newest events. */
export function UserHistory({ overview, posts, people }: UserHistoryProps) {
  const { events, follows, follow_count, controls } = overview;
  const shownEvents = events.slice(0, MAX_EVENTS);
  const nameOf = (uuid: string) => people.get(uuid) ?? uuid;
  return (
    <>
      <Section id="events" title={`Newest ${shownEvents.length} of ${overview.event_count} events`}>
        {shownEvents.length === 0 && <Remark>No event ranks this user’s feed.</Remark>}
        {shownEvents.length > 0 && (
          <FigureTable
            label="Events"
            columns={[{ label: "Time (UTC)" }, { label: "Event" }, { label: "Post" }]}
            rows={shownEvents.map((event, index) => ({
              key: `${event.post_id} ${event.interaction_type} ${index}`,
              cells: [
                formatTime(event.occurred_at),
                formatName(event.interaction_type),
                <PostText key="post" id={event.external_id ?? event.post_id} post={posts.get(event.post_id)} />,
              ],
            }))}
          />
        )}
      </Section>
      <Section id="follows" title={`Follows ${follow_count} people`}>
        <ul className="flex flex-wrap gap-1.5 text-sm">
          {follows
            .filter((uuid) => people.has(uuid))
            .map((uuid) => (
              <li key={uuid} className="rounded-full bg-sunken px-3 py-1 wrap-anywhere">
                {nameOf(uuid)}
              </li>
            ))}
        </ul>
      </Section>
      <Section id="controls" title="Controls and settings">
        <Settings overview={overview} />
        {controls.length === 0 && <Remark>The user has set no control.</Remark>}
        {controls.length > 0 && (
          <FigureTable
            label="Controls"
            columns={[{ label: "Since (UTC)" }, { label: "Control" }, { label: "Of" }, { label: "Until (UTC)" }]}
            rows={controls.map(({ action, post_id, author_id, tag, word, created_at, until }) => ({
              key: `${action} ${post_id} ${author_id} ${tag} ${word}`,
              cells: [
                created_at ? formatTime(created_at) : "–",
                formatName(action),
                post_id ? (
                  <PostText key="post" id={post_id} post={posts.get(post_id)} />
                ) : (
                  (tag ?? word ?? nameOf(author_id ?? ""))
                ),
                until ? formatTime(until) : "taken back",
              ],
            }))}
          />
        )}
      </Section>
    </>
  );
}

function Settings({ overview }: { overview: UserOverview }) {
  const { personalised, languages, show_sensitive, discoverable } = overview;
  const rows: [string, ReactNode][] = [
    ["Own events rank the feed", personalised ? "yes" : "no"],
    ["Reads languages", languages.length === 0 ? "all" : languages.join(", ")],
    ["Sees sensitive posts", show_sensitive ? "yes" : "no"],
    ["Others may discover the user", discoverable ? "yes" : "no"],
  ];
  return (
    <dl className="mb-4 grid grid-cols-[repeat(auto-fill,minmax(16rem,1fr))] gap-x-6 gap-y-1 text-sm">
      {rows.map(([name, value]) => (
        <div key={name} className="flex justify-between gap-3 border-b border-line py-1.5">
          <dt className="text-soft">{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function PostText({ id, post }: { id: string; post: PostWithUser | undefined }) {
  if (!post) return <span className="text-soft">{id}</span>;
  return (
    <span className="block max-w-120 truncate" dir="auto">
      {post.author && <bdi className="font-semibold">{post.author.name}: </bdi>}
      {post.content}
    </span>
  );
}
