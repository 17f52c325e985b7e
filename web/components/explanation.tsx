"use client";

import { useQuery } from "@tanstack/react-query";
import { useId, useLayoutEffect, useRef, useState } from "react";
import type { PostExplanation } from "@/lib/feed/post";
import { CloseIcon, SparkIcon } from "./icons";
import { placeBelow } from "./place-popover";
import { barsOf, formatNumber, rawValues } from "./reasons";

const MAX_BARS = 8;

interface ExplanationProps {
  postId: string;
  /** Why the post is shown. */
  sentence: string;
}

/** A button that says why a post is shown. It opens a popover, which loads what the score is made of. */
export function Explanation({ postId, sentence }: ExplanationProps) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const close = useRef<HTMLButtonElement>(null);
  const popover = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  return (
    <>
      <button ref={button} type="button" className="explanation-button" popoverTarget={id} aria-haspopup="dialog">
        <SparkIcon />
        <span className="visually-hidden">Why this post: </span>
        <span className="sentence">{sentence}</span>
      </button>
      <div
        ref={popover}
        id={id}
        popover="auto"
        role="dialog"
        aria-label="Why this post"
        className="popover explanation"
        onToggle={(event) => {
          const opened = event.newState === "open";
          setOpen(opened);
          if (!opened) return;
          placeBelow(event.currentTarget, button.current);
          close.current?.focus();
        }}
      >
        <header>
          <h2>Why this post</h2>
          <button
            ref={close}
            type="button"
            className="icon-button"
            popoverTarget={id}
            popoverTargetAction="hide"
            aria-label="Close"
          >
            <CloseIcon />
          </button>
        </header>
        <p>{sentence}.</p>
        {open && (
          <Details postId={postId} onLoaded={() => popover.current && placeBelow(popover.current, button.current)} />
        )}
      </div>
    </>
  );
}

interface DetailsProps {
  postId: string;
  /** Called when the details take up their room. */
  onLoaded: () => void;
}

function Details({ postId, onLoaded }: DetailsProps) {
  const { data, isPending, isError } = useQuery({
    queryKey: ["explanation", postId],
    queryFn: async ({ signal }): Promise<PostExplanation> => {
      const response = await fetch(`/api/posts/${postId}/explanation`, { signal });
      if (!response.ok) throw new Error(`GET /api/posts/${postId}/explanation: status ${response.status}`);
      return (await response.json()) as PostExplanation;
    },
    retry: false,
  });
  useLayoutEffect(() => {
    if (data) onLoaded();
  }, [data, onLoaded]);
  return (
    <div aria-busy={isPending}>
      {isPending && <p className="quiet">Loading the details</p>}
      {isError && <p className="quiet">The details are temporarily unavailable.</p>}
      {data && <Bars explanation={data} />}
      {data && <RawValues explanation={data} />}
    </div>
  );
}

/** Bars to the right raise the score of the post, bars to the left lower it. */
function Bars({ explanation }: { explanation: PostExplanation }) {
  const bars = barsOf(explanation).slice(0, MAX_BARS);
  if (bars.length === 0) return null;
  const largest = Math.max(...bars.map(({ value }) => Math.abs(value)));
  return (
    <dl className="facts">
      {bars.map(({ name, value }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <span
              className="bar"
              data-sign={value < 0 ? "lowers" : "raises"}
              style={{ "--fraction": Math.abs(value) / largest }}
            />
            <span className="number">
              {value > 0 && "+"}
              {formatNumber(value)}
            </span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function RawValues({ explanation: { factors: _shownAsBars, ...values } }: { explanation: PostExplanation }) {
  return (
    <details className="raw-values">
      <summary>All values</summary>
      <dl>
        {rawValues(values).map(({ name, text }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
