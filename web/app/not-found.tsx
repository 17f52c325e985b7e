import { Notice } from "@/components/notice";
import { ButtonLink } from "@/components/ui/button";

export const metadata = { title: "Not found" };

export default function NotFound() {
  return (
    <main id="main" className="mx-auto w-full max-w-176 min-w-0">
      <Notice title="Page not found" heading="h1" action={<ButtonLink href="/">Back to the feed</ButtonLink>}>
        What was here may have been removed, or the address may be wrong.
      </Notice>
    </main>
  );
}
