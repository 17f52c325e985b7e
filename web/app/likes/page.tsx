import { ListPage, type ListPageProps, PostsOfList } from "@/app/list-page";
import { currentViewer } from "@/app/viewer";

export const metadata = { title: "Likes" };

const EMPTY = { title: "No likes yet", text: "Posts that you like appear here." };

/** The posts that the user has liked, the newest like first. */
export default async function LikesPage({ searchParams }: ListPageProps) {
  const { id } = await currentViewer();
  return (
    <ListPage title="Likes">
      <PostsOfList
        viewerId={id}
        name={{ list: "likes", of: "" }}
        label="Posts you like"
        empty={EMPTY}
        searchParams={searchParams}
      />
    </ListPage>
  );
}
