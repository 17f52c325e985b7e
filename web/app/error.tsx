"use client";

export default function ErrorPage({ reset }: { error: Error; reset: () => void }) {
  return (
    <main id="main" className="column">
      <section className="notice" role="alert">
        <h1>Something went wrong</h1>
        <p>Your likes, comments and shares are not lost.</p>
        <button type="button" className="quiet-button" onClick={reset}>
          Try again
        </button>
      </section>
    </main>
  );
}
