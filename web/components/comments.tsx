"use client";

import { newUuid } from "@feed/client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { RelativeTime } from "./relative-time";
import { Avatar } from "./ui/avatar";
import { Button } from "./ui/button";
import { TextField } from "./ui/text-field";

interface Comment {
  id: string;
  author: string;
  text: string;
  createdAt: string;
}

const MAX_LENGTH = 500;

/** The comments of a post and a form for a new one. */
export function Comments({ postId, onComment }: { postId: string; onComment: (text: string) => void }) {
  const client = useQueryClient();
  const key = ["comments", postId];
  const { data, isPending, isError } = useQuery({
    queryKey: key,
    queryFn: async ({ signal }): Promise<Comment[]> => {
      const response = await fetch(`/api/posts/${postId}/replies`, { signal });
      if (!response.ok) throw new Error(`GET /api/posts/${postId}/replies: status ${response.status}`);
      return ((await response.json()) as { replies: Comment[] }).replies;
    },
  });

  const submit = (text: string) => {
    onComment(text);
    const comment = { id: newUuid(), author: "You", text, createdAt: new Date().toISOString() };
    client.setQueryData<Comment[]>(key, (comments = []) => [...comments, comment]);
  };

  return (
    <section className="mt-1 mb-2 border-t border-line pt-2.5" aria-label="Comments">
      {isError && <p className="text-sm text-soft">The comments are temporarily unavailable.</p>}
      {!isPending && !isError && data.length === 0 && <p className="text-sm text-soft">No comments yet.</p>}
      <ul>
        {(data ?? []).map((comment) => (
          <li key={comment.id} className="my-2 grid grid-cols-[1.625rem_minmax(0,1fr)] gap-2.5 text-md wrap-anywhere">
            <Avatar id={comment.author} name={comment.author} size={26} />
            <p>
              <strong>{comment.author}</strong> <RelativeTime iso={comment.createdAt} />
              <br />
              {comment.text}
            </p>
          </li>
        ))}
      </ul>
      <CommentForm onSubmit={submit} />
    </section>
  );
}

function CommentForm({ onSubmit }: { onSubmit: (text: string) => void }) {
  const [text, setText] = useState("");
  const inputId = useId();

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() === "") return;
    onSubmit(text.trim());
    setText("");
  };

  return (
    <form onSubmit={submit} className="mt-2.5 flex gap-2">
      <label htmlFor={inputId} className="sr-only">
        Your comment
      </label>
      <TextField
        className="flex-1"
        id={inputId}
        value={text}
        onChange={(event) => setText(event.target.value)}
        maxLength={MAX_LENGTH}
        placeholder="Add a comment"
        autoComplete="off"
      />
      <Button type="submit" disabled={text.trim() === ""}>
        Post
      </Button>
    </form>
  );
}
