"use client";

import { Button } from "@/components/ui/button";

export default function ErrorPage({ reset }: { error: Error; reset: () => void }) {
  return (
    <main id="main" className="grid w-full justify-items-center gap-3 px-6 py-11 text-center">
      <h1>Something went wrong</h1>
      <p className="text-soft">Your likes, comments and shares are not lost.</p>
      <Button onClick={reset}>Try again</Button>
    </main>
  );
}
