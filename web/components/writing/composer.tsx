"use client";

import { useRouter } from "next/navigation";
import { useEffect, useState } from "react";
import type { PostExcerpt } from "@/lib/feed/post";
import { Excerpt } from "./original-post";
import { OwnWrites } from "./own-writes";
import { useWriteQueue } from "./use-write-queue";
import { useWriteStates } from "./writes-provider";
import { WritingForm } from "./writing-form";

/** The post that the new one quotes. */
export interface Quoted {
  id: string;
  /** Null if it cannot be read at the moment. */
  post: PostExcerpt | null;
  /** The page of the feed that showed it. */
  requestId: string | null;
}

/** A form for a new post, and the posts of the user that are on their way. The feed opens when the post is stored. */
export function Composer({ quoted }: { quoted: Quoted | null }) {
  const { post } = useWriteQueue();
  const router = useRouter();
  const [writtenId, setWrittenId] = useState<string | null>(null);
  const isStored = useWriteStates((states) => writtenId !== null && states[writtenId]?.sent === true);
  useEffect(() => {
    if (isStored) router.push("/");
  }, [isStored, router]);
  const submit = (text: string) =>
    setWrittenId(post({ text, ...(quoted && { quote_of: quoted.id, request_id: quoted.requestId }) }));
  return (
    <>
      <div className="p-gutter">
        <WritingForm
          label={quoted ? "Your comment on the quoted post" : "Your post"}
          placeholder={quoted ? "What do you think of it?" : "What is new?"}
          submitLabel="Post"
          rows={4}
          autoFocus
          onSubmit={submit}
        />
        {quoted?.post && <Excerpt post={quoted.post} />}
      </div>
      <OwnWrites replies />
    </>
  );
}
