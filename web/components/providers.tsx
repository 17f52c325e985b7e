"use client";

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { EventsProvider } from "./events-provider";
import { FeedbackProvider } from "./feedback-provider";

export function Providers({ user, children }: { user: string; children: ReactNode }) {
  const [client] = useState(() => new QueryClient());
  return (
    <QueryClientProvider client={client}>
      <EventsProvider user={user} key={user}>
        <FeedbackProvider user={user}>{children}</FeedbackProvider>
      </EventsProvider>
    </QueryClientProvider>
  );
}
