"use client";

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { EventsProvider } from "./events-provider";
import { FeedbackProvider } from "./feedback-provider";
import { FollowsProvider } from "./follows-provider";
import { DeleteOnDemand } from "./writing/delete-on-demand";
import { UnsentLine } from "./writing/unsent-line";
import { WritesProvider } from "./writing/writes-provider";

/** What the posts of all pages share: the cache of lists, and the actions of the user. A page below finds them with hooks. */
export function Providers({ user, children }: { user: string; children: ReactNode }) {
  const [client] = useState(() => new QueryClient());
  return (
    <QueryClientProvider client={client}>
      <EventsProvider user={user}>
        <FeedbackProvider user={user}>
          <FollowsProvider user={user}>
            <WritesProvider user={user}>
              {children}
              <DeleteOnDemand />
              <UnsentLine />
            </WritesProvider>
          </FollowsProvider>
        </FeedbackProvider>
      </EventsProvider>
    </QueryClientProvider>
  );
}
