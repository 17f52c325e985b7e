"use client";

import { Notice } from "@/components/notice";
import { Button } from "@/components/ui/button";

export default function ErrorPage({ reset }: { error: Error; reset: () => void }) {
  return (
    <main id="main" className="mx-auto w-full max-w-176 min-w-0">
      <Notice title="Something went wrong" heading="h1" alert action={<Button onClick={reset}>Try again</Button>}>
        Your likes, comments and shares are not lost.
      </Notice>
    </main>
  );
}
