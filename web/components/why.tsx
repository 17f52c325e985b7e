"use client";

import { useId, useRef, useState } from "react";
import type { PostWithUser } from "@/lib/feed/post";
import { CloseIcon, SparkIcon } from "./icons";
import { placeBelow } from "./place-popover";
import { factsOf, figure, reasonLabel, reasonSentence } from "./reasons";

/** The reason as a small button; what speaks for the post opens below it. */
export function Why({ why }: { why: NonNullable<PostWithUser["why"]> }) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const close = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  return (
    <>
      <button ref={button} type="button" className="why-button" popoverTarget={id} aria-haspopup="dialog">
        <SparkIcon />
        <span className="visually-hidden">Why this post: </span>
        {reasonLabel(why.reason)}
      </button>
      <div
        id={id}
        popover="auto"
        role="dialog"
        aria-label="Why this post"
        className="popover why"
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
        {open && <Explanation why={why} />}
      </div>
    </>
  );
}

function Explanation({ why }: { why: NonNullable<PostWithUser["why"]> }) {
  const facts = factsOf(why.evidence);
  const shares = facts.filter((fact): fact is { name: string; value: number } => typeof fact.value === "number");
  const words = facts.filter((fact) => typeof fact.value === "string");
  const most = Math.max(...shares.map(({ value }) => Math.abs(value)), Number.MIN_VALUE);
  return (
    <>
      <p>{reasonSentence(why.reason)}</p>
      {shares.length > 0 && (
        <dl className="evidence">
          {shares.slice(0, 8).map(({ name, value }) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <span className="bar" style={{ "--share": Math.abs(value) / most }} />
                <span className="figure">{figure(value)}</span>
              </dd>
            </div>
          ))}
        </dl>
      )}
      {words.length > 0 && (
        <dl className="evidence words">
          {words.slice(0, 6).map(({ name, value }) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      <p className="quiet">
        Score {figure(why.score)} on this page · <code>{why.reason}</code>
      </p>
    </>
  );
}
