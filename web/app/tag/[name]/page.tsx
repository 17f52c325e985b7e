import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { ListPage, type ListPageProps, PostsOfList } from "@/app/list-page";
import { currentViewer } from "@/app/viewer";
import { ControlForm } from "@/components/settings/muted-section";
import { postListName } from "@/lib/feed/post-list";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isTagMuted } from "@/lib/repositories/settings.repository";

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
  const muted = await readIsMuted(viewer.id, tag);
  const label = muted ? "Unmute" : "Mute";
  return (
    <ListPage
      title={`#${tag}`}
      action={
        muted !== null && (
          <ControlForm
            user={viewer.id}
            action="mute_tag"
            target={tag}
            undo={muted}
            label={label}
            description={`${label} #${tag}`}
          />
        )
      }
    >
      <PostsOfList
        viewerId={viewer.id}
        name={{ list: "tag", of: tag }}
        label={`Posts with #${tag}`}
        empty={
          muted
            ? { title: `You mute #${tag}`, text: "Unmute it to see its posts." }
            : { title: "No posts", text: `Posts with #${tag} that you may see appear here.` }
        }
        searchParams={searchParams}
      />
    </ListPage>
  );
}

/** Null if it cannot be read now. */
async function readIsMuted(userId: string, tag: string): Promise<boolean | null> {
  try {
    return await isTagMuted(userId, tag);
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return null;
    throw error;
  }
}

/** The tag in a path. A text that can be no tag is an unknown page. */
function tagOf(segment: string): string {
  const of = decodeURIComponent(segment).trim().replace(/^#/, "").normalize("NFC");
  const name = of ? postListName.safeParse({ list: "tag", of }) : null;
  if (!name?.success) notFound();
  return name.data.of;
}
