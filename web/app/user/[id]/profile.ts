import { notFound } from "next/navigation";
import { cache } from "react";
import { currentViewer } from "@/app/viewer";
import type { Profile } from "@/lib/feed/profile";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isId } from "@/lib/platform/ids";
import { findProfile } from "@/lib/repositories/people.repository";

/**
 * The profile of the user in a path; null if it cannot be read now. Responds with 404 if the user is unknown or blocks
 * the viewer. A visitor has a profile before they are stored.
 */
export const readProfile = cache(async (segment: string): Promise<Profile | null> => {
  const id = decodeURIComponent(segment);
  if (!isId(id)) notFound();
  const viewer = await currentViewer();
  let profile: Profile | null;
  try {
    profile = await findProfile(viewer.id, id);
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
    return null;
  }
  if (profile) return profile;
  if (id !== viewer.id) notFound();
  const { name } = viewer;
  return { id, name, followed: false, followerCount: 0, followingCount: 0, own: true, muted: false, blocked: false };
});
