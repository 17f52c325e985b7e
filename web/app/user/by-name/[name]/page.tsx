import { notFound, redirect } from "next/navigation";
import { decodeSegment } from "@/app/segment";
import { currentViewer } from "@/app/viewer";
import { profilePath } from "@/lib/feed/profile";
import { isId } from "@/lib/platform/ids";
import { findIdByName } from "@/lib/repositories/people.repository";

/** Leads to the page of the user whom a text mentions by name. */
export default async function MentionPage({ params }: { params: Promise<{ name: string }> }) {
  const name = decodeSegment((await params).name);
  if (name === null || !isId(name)) notFound();
  const viewer = await currentViewer();
  const id = await findIdByName(viewer.id, name);
  if (id === null) notFound();
  redirect(profilePath(id));
}
