import { FollowListPage, type FollowListProps } from "../follow-list";

export const metadata = { title: "Followers" };

export default function FollowersPage(props: FollowListProps) {
  return <FollowListPage list="followers" {...props} />;
}
