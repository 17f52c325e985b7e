"use client";

export default function ErrorPage({ reset }: { error: Error; reset: () => void }) {
  return (
    <main id="main" className="grid w-full content-start justify-items-center gap-3 px-6 py-11">
      <h1>Something went wrong</h1>
      <p>Your likes, comments and shares are not lost.</p>
      <button type="button" className="underline" onClick={reset}>
        Try again
      </button>
    </main>
  );
}
