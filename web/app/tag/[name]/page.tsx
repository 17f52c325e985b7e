import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { ListPage, type ListPageProps, PostsOfList } from "@/app/list-page";
import { decodeSegment } from "@/app/segment";
import { currentViewer } from "@/app/viewer";
import { postListName } from "@/lib/feed/post-list";

interface TagPageProps extends ListPageProps {
  params: Promise<{ name: string }>;
}

export async function generateMetadata({ params }: TagPageProps): Promise<Metadata> {
  return { title: `#${tagOf((await params).name)}` };
}

/** The posts with a tag, newest first. */
export default async function TagPage({ params, searchParams }: TagPageProps) {
  const tag = tagOf((await params).name);
  const viewer = await currentViewer();
  return (
    <ListPage title={`#${tag}`}>
      <PostsOfList
        viewerId={viewer.id}
        name={{ list: "tag", of: tag }}
        label={`Posts with #${tag}`}
        empty={{ title: "No posts", text: `Posts with #${tag} that you may see appear here.` }}
        searchParams={searchParams}
      />
    </ListPage>
  );
}

/** The tag in a path. A text that can be no tag is an unknown page. */
function tagOf(segment: string): string {
  const of = decodeSegment(segment)?.trim().replace(/^#/, "").normalize("NFC");
  const name = of ? postListName.safeParse({ list: "tag", of }) : null;
  if (!name?.success) notFound();
  return name.data.of;
}
