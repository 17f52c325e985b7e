import type { Metadata } from "next";
import { headers } from "next/headers";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isUuid } from "@/lib/platform/ids";
import { findLinkPreview } from "@/lib/repositories/link-preview.repository";

const TITLE = "Post";

/** The title of the page of a post, and what other sites show of a link to it if everybody may see the post. */
export async function generateMetadata({ params }: { params: Promise<{ id: string }> }): Promise<Metadata> {
  const id = (await params).id.toLowerCase();
  const preview = isUuid(id) ? await findPreviewIfAvailable(id) : null;
  if (preview === null) return { title: TITLE };
  const { author, createdAt } = preview;
  const description = preview.description ?? undefined;
  return {
    metadataBase: await siteUrl(),
    title: `${TITLE} by ${author}`,
    description,
    openGraph: {
      type: "article",
      siteName: "Strand",
      title: `${author} on Strand`,
      description,
      url: `/post/${id}`,
      publishedTime: createdAt,
    },
  };
}

async function findPreviewIfAvailable(id: string) {
  try {
    return await findLinkPreview(id);
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return null;
    throw error;
  }
}

/** The address that the reader has used for the site. */
async function siteUrl(): Promise<URL | null> {
  const sent = await headers();
  const host = sent.get("x-forwarded-host") ?? sent.get("host");
  const scheme = sent.get("x-forwarded-proto")?.split(",")[0] ?? "http";
  const url = `${scheme}://${host}`;
  return URL.canParse(url) ? new URL(url) : null;
}
