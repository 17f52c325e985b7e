import type { Metadata } from "next";
import { type ListPageProps, PostsOfList } from "@/app/list-page";
import { currentViewer } from "@/app/viewer";
import { FollowButton } from "@/components/follow-button";
import { Notice } from "@/components/notice";
import { ProfileMenu } from "@/components/profile-menu";
import { Avatar } from "@/components/ui/avatar";
import { type Profile, profilePath } from "@/lib/feed/profile";
import { readProfile } from "./profile";

const COUNT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

interface ProfilePageProps extends ListPageProps {
  params: Promise<{ id: string }>;
}

export async function generateMetadata({ params }: ProfilePageProps): Promise<Metadata> {
  return { title: (await readProfile((await params).id))?.name ?? "Profile" };
}

/** The page of a user: who they are, and their posts, newest first. */
export default async function ProfilePage({ params, searchParams }: ProfilePageProps) {
  const profile = await readProfile((await params).id);
  const viewer = await currentViewer();
  return (
    <main id="main" className="mx-auto w-full max-w-176 min-w-0 pt-4 md:pb-24">
      <div className="feed-column border-y border-line bg-raised md:rounded-card md:border-x">
        {profile ? (
          <>
            <ProfileHeader profile={profile} />
            <Posts profile={profile} viewerId={viewer.id} searchParams={searchParams} />
          </>
        ) : (
          <Notice title="The profile is temporarily unavailable" heading="h1">
            Please reload the page in a moment.
          </Notice>
        )}
      </div>
    </main>
  );
}

function ProfileHeader({ profile }: { profile: Profile }) {
  const { id, name, followerCount, followingCount, own, blocked } = profile;
  return (
    <header className="flex flex-wrap items-center gap-x-4 gap-y-3 border-b border-line px-gutter py-5">
      <Avatar id={id} name={name} size={72} />
      <div className="min-w-0 flex-1">
        <h1 dir="auto" className="wrap-anywhere">
          {name}
        </h1>
        <p className="mt-1 flex flex-wrap gap-x-4 text-md text-soft">
          <Count href={`${profilePath(id)}/followers`} count={followerCount} noun="follower" plural="followers" />
          <Count href={`${profilePath(id)}/following`} count={followingCount} noun="following" plural="following" />
        </p>
      </div>
      {!own && !blocked && <FollowButton author={profile} />}
      {!own && <ProfileMenu profile={profile} />}
    </header>
  );
}

function Count({ href, count, noun, plural }: { href: string; count: number; noun: string; plural: string }) {
  return (
    <a href={href} className="hover:underline">
      <strong className="font-semibold text-ink tabular-nums">{COUNT.format(count)}</strong>{" "}
      {count === 1 ? noun : plural}
    </a>
  );
}

function Posts({ profile, viewerId, searchParams }: ListPageProps & { profile: Profile; viewerId: string }) {
  const { id, name, own, muted, blocked } = profile;
  if (blocked || muted) {
    const state = blocked ? "blocked" : "muted";
    return <Notice title={`You have ${state} ${name}`}>Their posts are not shown to you.</Notice>;
  }
  const empty = own
    ? { title: "No posts yet", text: "Posts that you write appear here." }
    : { title: "No posts yet", text: `Posts of ${name} that you may see appear here.` };
  return (
    <PostsOfList
      viewerId={viewerId}
      name={{ list: "author", of: id }}
      label={`Posts of ${name}`}
      empty={empty}
      searchParams={searchParams}
    />
  );
}
