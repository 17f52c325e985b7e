import { FollowListPage, type FollowListProps } from "../follow-list";

export const metadata = { title: "Following" };

export default function FollowingPage(props: FollowListProps) {
  return <FollowListPage list="following" {...props} />;
}
