import type { Metadata, Viewport } from "next";
import { cookies } from "next/headers";
import { type ReactNode, Suspense } from "react";
import { Discover } from "@/components/discover";
import { OfflineNotice } from "@/components/offline-notice";
import { Providers } from "@/components/providers";
import { Shell } from "@/components/shell";
import type { Theme } from "@/components/theme-toggle";
import { inter } from "./fonts";
import { sessionUser } from "./viewer";
import "./globals.css";

export const metadata: Metadata = {
  title: { default: "Strand", template: "%s · Strand" },
  description: "A feed that learns what you like",
};
export const viewport: Viewport = {
  width: "device-width",
  initialScale: 1,
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#fbfaf8" },
    { media: "(prefers-color-scheme: dark)", color: "#131210" },
  ],
};

export default async function Layout({ children }: { children: ReactNode }) {
  const cookie = (await cookies()).get("theme")?.value;
  const theme: Theme = cookie === "dark" || cookie === "light" ? cookie : "auto";
  const user = await sessionUser();
  const shell = (
    <Shell
      viewerId={user?.id ?? null}
      theme={theme}
      aside={
        user && (
          <Suspense fallback={null}>
            <Discover viewerId={user.id} />
          </Suspense>
        )
      }
    >
      {children}
    </Shell>
  );
  return (
    <html lang="en" data-theme={theme} className={inter.variable}>
      <body>
        <a
          href="#main"
          className="fixed top-2 left-2 z-50 -translate-y-[200%] rounded-full bg-ink px-4 py-2.5 text-paper focus:translate-y-0"
        >
          Skip to the posts
        </a>
        <OfflineNotice />
        {user ? (
          <Providers user={user.id} key={user.id}>
            {shell}
          </Providers>
        ) : (
          shell
        )}
      </body>
    </html>
  );
}
