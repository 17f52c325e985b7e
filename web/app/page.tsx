import { loadFirstPage } from "@/app/first-page";
import { currentViewer } from "@/app/viewer";
import { Feed } from "@/components/feed";
import { SameUser } from "@/components/same-user";
import { UserSwitcher } from "@/components/user-switcher";
import { WelcomeCard } from "@/components/welcome-card";
import { feedModeOf } from "@/lib/feed/feed-mode";
import { invitesToChoose } from "./welcome/invitation";

interface FeedPageProps {
  searchParams: Promise<{ feed?: string | string[] }>;
}

export default async function FeedPage({ searchParams }: FeedPageProps) {
  const viewer = await currentViewer();
  const mode = feedModeOf((await searchParams).feed) ?? "ranked";
  // Without the first page, the browser requests it, and tries again.
  const [first, isNew] = await Promise.all([loadFirstPage(viewer.id, mode), invitesToChoose(viewer.id)]);
  return (
    <main className="mx-auto w-full max-w-176 min-w-0 md:pb-24">
      <header className="flex min-h-16 items-center justify-between gap-4 px-gutter py-3 md:px-1">
        <h1>Strand</h1>
        {viewer.switchable && <UserSwitcher name={viewer.name} />}
      </header>
      <SameUser id={viewer.id} />
      {isNew && <WelcomeCard user={viewer.id} />}
      <Feed first={first} />
    </main>
  );
}
