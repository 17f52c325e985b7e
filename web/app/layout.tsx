import type { Metadata, Viewport } from "next";
import { cookies } from "next/headers";
import type { ReactNode } from "react";
import { Shell } from "@/components/shell";
import type { Theme } from "@/components/theme-toggle";
import { inter } from "./fonts";
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
  return (
    <html lang="en" data-theme={theme} className={inter.variable}>
      <body>
        <a href="#main" className="skip-link">
          Skip to the posts
        </a>
        <Shell theme={theme}>{children}</Shell>
      </body>
    </html>
  );
}
