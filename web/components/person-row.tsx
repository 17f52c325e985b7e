import { type Person, profilePath } from "@/lib/feed/profile";
import { FollowButton } from "./follow-button";
import { Avatar } from "./ui/avatar";

/** A person with a link to their page, and a button that follows them. */
export function PersonRow({ person, isViewer }: { person: Person; isViewer: boolean }) {
  const { id, name } = person;
  return (
    <li className="flex items-center gap-3 border-b border-line px-gutter py-3">
      <a href={profilePath(id)} className="flex min-w-0 flex-1 items-center gap-3">
        <Avatar id={id} name={name} />
        <span dir="auto" className="truncate font-semibold hover:underline">
          {name}
        </span>
      </a>
      {!isViewer && <FollowButton author={person} />}
    </li>
  );
}
