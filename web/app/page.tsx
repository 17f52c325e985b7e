import { feedQueryKey, listOf } from "@feed/client";
import { dehydrate, HydrationBoundary, QueryClient } from "@tanstack/react-query";
import { loadFirstPage } from "@/app/first-page";
import { currentViewer } from "@/app/viewer";
import { Feed } from "@/components/feed";
import { UserSwitcher } from "@/components/user-switcher";

export default async function FeedPage() {
  const viewer = await currentViewer();
  const first = await loadFirstPage(viewer.id);
  // The browser continues with the same list. Without it, the browser requests the first page, and tries again.
  const cache = new QueryClient();
  if (first) cache.setQueryData(feedQueryKey({ user: viewer.id, mode: "ranked" }), listOf(first.page));
  return (
    <main id="main" className="mx-auto w-full max-w-176 min-w-0 md:pb-24">
      <header className="flex min-h-16 items-center justify-between gap-4 px-gutter py-3 md:px-1">
        <h1>Strand</h1>
        {viewer.switchable && <UserSwitcher name={viewer.name} />}
      </header>
      <HydrationBoundary state={dehydrate(cache)}>
        <Feed rankedPage={first?.rankedPage ?? null} />
      </HydrationBoundary>
    </main>
  );
}
