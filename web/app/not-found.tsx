import Link from "next/link";

export const metadata = { title: "Not found" };

export default function NotFound() {
  return (
    <main id="main" className="column">
      <section className="notice">
        <h1>Page not found</h1>
        <p>The post may have been removed, or the address may be wrong.</p>
        <Link href="/" className="quiet-button" prefetch={false}>
          Back to the feed
        </Link>
      </section>
    </main>
  );
}
