import Link from "next/link";

export const metadata = { title: "Not here" };

export default function NotFound() {
  return (
    <main id="main" className="column">
      <section className="notice">
        <h1>There is nothing here</h1>
        <p>The post may have been removed, or the address is not right.</p>
        <Link href="/" className="quiet-button">
          Back to the feed
        </Link>
      </section>
    </main>
  );
}
