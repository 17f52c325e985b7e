"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { Avatar } from "./avatar";
import { RelativeTime } from "./relative-time";

interface Comment {
  id: string;
  author: string;
  text: string;
  createdAt: string;
}

const MAX_LENGTH = 500;

/** What was said below a post, and a place to say something. */
export function Comments({ postId, onComment }: { postId: string; onComment: (text: string) => void }) {
  const [text, setText] = useState("");
  const field = useId();
  const client = useQueryClient();
  const key = ["comments", postId];
  const { data, isPending, isError } = useQuery({
    queryKey: key,
    queryFn: async ({ signal }): Promise<Comment[]> => {
      const response = await fetch(`/api/posts/${postId}/comments`, { signal });
      if (!response.ok) throw new Error(`status ${response.status}`);
      return ((await response.json()) as { comments: Comment[] }).comments;
    },
  });

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const said = text.trim();
    if (!said) return;
    onComment(said);
    const own = { id: crypto.randomUUID?.() ?? said, author: "You", text: said, createdAt: new Date().toISOString() };
    client.setQueryData<Comment[]>(key, (before = []) => [...before, own]);
    setText("");
  };

  return (
    <section className="comments" aria-label="Comments">
      {isError && <p className="quiet">Comments cannot be shown just now.</p>}
      {!isPending && !isError && data.length === 0 && <p className="quiet">Nobody has answered yet.</p>}
      <ul>
        {(data ?? []).map((comment) => (
          <li key={comment.id}>
            <Avatar name={comment.author} size={26} />
            <p>
              <strong>{comment.author}</strong> <RelativeTime iso={comment.createdAt} />
              <br />
              {comment.text}
            </p>
          </li>
        ))}
      </ul>
      <form onSubmit={submit}>
        <label htmlFor={field} className="visually-hidden">
          Your comment
        </label>
        <input
          id={field}
          value={text}
          onChange={(event) => setText(event.target.value)}
          maxLength={MAX_LENGTH}
          placeholder="Add a comment"
          autoComplete="off"
        />
        <button type="submit" disabled={text.trim() === ""}>
          Post
        </button>
      </form>
    </section>
  );
}
