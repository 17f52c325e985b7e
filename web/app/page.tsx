import { currentViewer } from "@/app/viewer";
import { Feed } from "@/components/feed";
import { Providers } from "@/components/providers";
import { UserSwitcher } from "@/components/user-switcher";

export default async function FeedPage() {
  const viewer = await currentViewer();
  return (
    <Providers user={viewer.id}>
      <main id="main" className="column">
        <header className="page-header">
          <h1>Strand</h1>
          {viewer.switchable && <UserSwitcher name={viewer.name} />}
        </header>
        <Feed />
      </main>
    </Providers>
  );
}
