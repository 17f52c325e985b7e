import { ListPage, type ListPageProps, PostsOfList } from "@/app/list-page";
import { currentViewer } from "@/app/viewer";

export const metadata = { title: "Recently seen" };

const EMPTY = { title: "Nothing seen yet", text: "Posts that were on your screen for a second appear here." };

/** The posts with which the user has an event, the newest event first. */
export default async function SeenPage({ searchParams }: ListPageProps) {
  const { id } = await currentViewer();
  return (
    <ListPage title="Recently seen">
      <PostsOfList
        viewerId={id}
        name={{ list: "seen", of: "" }}
        label="Posts you have seen"
        empty={EMPTY}
        searchParams={searchParams}
      />
    </ListPage>
  );
}
