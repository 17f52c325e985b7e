import { notFound, redirect } from "next/navigation";
import { currentViewer } from "@/app/viewer";
import { Notice } from "@/components/notice";
import { profilePath } from "@/lib/feed/profile";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isId } from "@/lib/platform/ids";
import { findIdByName } from "@/lib/repositories/people.repository";

/** Leads to the page of the user whom a text mentions by name. */
export default async function MentionPage({ params }: { params: Promise<{ name: string }> }) {
  const name = decodeURIComponent((await params).name);
  if (!isId(name)) notFound();
  const viewer = await currentViewer();
  let id: string | null;
  try {
    id = await findIdByName(viewer.id, name);
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
    return (
      <main id="main" className="mx-auto w-full max-w-176 min-w-0">
        <Notice title="The profile is temporarily unavailable" heading="h1">
          Please reload the page in a moment.
        </Notice>
      </main>
    );
  }
  if (id === null) notFound();
  redirect(profilePath(id));
}
