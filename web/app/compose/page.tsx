import { ListPage } from "@/app/list-page";
import { currentViewer } from "@/app/viewer";
import { Notice } from "@/components/notice";
import { Composer, type Quoted } from "@/components/writing/composer";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isRequestId, isUuid } from "@/lib/platform/ids";
import { findExcerpt } from "@/lib/repositories/post.repository";
import { isWritingPossible } from "@/lib/repositories/writing.repository";

export const metadata = { title: "New post" };

interface ComposePageProps {
  searchParams: Promise<{ quote?: string | string[]; request_id?: string | string[] }>;
}

/** A form for a new post; with `quote`, one that quotes the post with this id. */
export default async function ComposePage({ searchParams }: ComposePageProps) {
  const { quote, request_id } = await searchParams;
  const requestId = typeof request_id === "string" && isRequestId(request_id) ? request_id : null;
  const viewer = await currentViewer();
  const form = await readForm(viewer.id, typeof quote === "string" ? quote.toLowerCase() : null, requestId);
  return (
    <ListPage title={quote === undefined ? "New post" : "Quote"}>
      {"problem" in form ? (
        <Notice title={form.problem}>{form.explanation}</Notice>
      ) : (
        <Composer quoted={form.quoted} key={quote?.toString()} />
      )}
    </ListPage>
  );
}

type Form = { quoted: Quoted | null } | { problem: string; explanation: string };

/** The form, or why there is none. While the database is unavailable there is one: the browser keeps the post. */
async function readForm(viewerId: string, quoteId: string | null, requestId: string | null): Promise<Form> {
  if (quoteId !== null && !isUuid(quoteId)) return NOT_AVAILABLE;
  try {
    if (!(await isWritingPossible())) return MANAGED_ELSEWHERE;
    if (quoteId === null) return { quoted: null };
    const post = await findExcerpt(viewerId, quoteId);
    return post ? { quoted: { id: quoteId, post, requestId } } : NOT_AVAILABLE;
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
    return { quoted: quoteId === null ? null : { id: quoteId, post: null, requestId } };
  }
}

const NOT_AVAILABLE = { problem: "This post is not available", explanation: "It was deleted, or you may not see it." };
const MANAGED_ELSEWHERE = {
  problem: "Posts are written elsewhere",
  explanation: "Another application stores the posts of this feed.",
};
