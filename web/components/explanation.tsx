"use client";

import { useId, useRef, useState } from "react";
import type { PostExplanation } from "@/lib/feed/post";
import { CloseIcon, SparkIcon } from "./icons";
import { placeBelow } from "./place-popover";
import { flattenDetails, formatNumber, reasonLabel, reasonSentence } from "./reasons";

/** A button with the reason for a recommendation. It opens a popover with the numbers behind the score. */
export function Explanation({ explanation }: { explanation: PostExplanation }) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const close = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  return (
    <>
      <button ref={button} type="button" className="explanation-button" popoverTarget={id} aria-haspopup="dialog">
        <SparkIcon />
        <span className="visually-hidden">Why this post: </span>
        {reasonLabel(explanation.reason)}
      </button>
      <div
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
        {open && <ExplanationDetails explanation={explanation} />}
      </div>
    </>
  );
}

function ExplanationDetails({ explanation }: { explanation: PostExplanation }) {
  const facts = flattenDetails(explanation.details);
  const numbers = facts.filter((fact): fact is { name: string; value: number } => typeof fact.value === "number");
  const texts = facts.filter((fact) => typeof fact.value === "string");
  const largest = Math.max(...numbers.map(({ value }) => Math.abs(value)), Number.MIN_VALUE);
  return (
    <>
      <p>{reasonSentence(explanation.reason)}</p>
      {numbers.length > 0 && (
        <dl className="facts">
          {numbers.slice(0, 8).map(({ name, value }) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <span className="bar" style={{ "--fraction": Math.abs(value) / largest }} />
                <span className="number">{formatNumber(value)}</span>
              </dd>
            </div>
          ))}
        </dl>
      )}
      {texts.length > 0 && (
        <dl className="facts texts">
          {texts.slice(0, 6).map(({ name, value }) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      <p className="quiet">
        Score {formatNumber(explanation.score)} on this page · <code>{explanation.reason}</code>
      </p>
    </>
  );
}
