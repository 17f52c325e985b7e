import { cookies } from "next/headers";
import { WELCOME_COOKIE } from "@/app/welcome/cookie";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isNewUser } from "@/lib/repositories/interest.repository";

/** Whether the feed invites the user to choose interests: new users, until they close the invitation. */
export async function invitesToChoose(userId: string): Promise<boolean> {
  if ((await cookies()).has(WELCOME_COOKIE)) return false;
  try {
    return await isNewUser(userId);
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return false;
    throw error;
  }
}
