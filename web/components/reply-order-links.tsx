import { cn } from "./ui/cn";

/** Links that order the replies of the page with this path: the newest first, or those with the most likes. */
export function ReplyOrderLinks({ path, isTop }: { path: string; isTop: boolean }) {
  return (
    <nav aria-label="Order of the replies" className="flex gap-1 text-sm">
      <OrderLink href={path} isCurrent={!isTop}>
        Newest
      </OrderLink>
      <OrderLink href={`${path}?replies=top`} isCurrent={isTop}>
        Top
      </OrderLink>
    </nav>
  );
}

function OrderLink({ href, isCurrent, children }: { href: string; isCurrent: boolean; children: string }) {
  return (
    <a
      href={href}
      data-replace
      aria-current={isCurrent ? "true" : undefined}
      className={cn("rounded-full px-3 py-1.5 hover:bg-sunken", isCurrent ? "bg-sunken font-semibold" : "text-soft")}
    >
      {children}
    </a>
  );
}
