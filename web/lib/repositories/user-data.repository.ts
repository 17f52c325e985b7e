import { FeedServiceError, type UserData, type UserFields } from "@feed/client";
import type { MLServiceClient } from "@/lib/services/ml-service";
import { findUserName, findUserUuid, visitorName } from "./user.repository";

/** Stores settings or interests of a user through the service. A visitor becomes a user with a name. */
export async function storeUserFields(service: MLServiceClient, userId: string, fields: UserFields): Promise<void> {
  const isStored = (await findUserName(userId)) !== null;
  const named = isStored ? {} : { username: visitorName(await findUserUuid(userId)) };
  await service.putUser(userId, { ...named, ...fields });
}

/** All that is stored about a user; for a visitor who has not done anything yet, no rows. */
export async function exportUser(service: MLServiceClient, userId: string): Promise<Partial<UserData>> {
  try {
    return await service.exportUser(userId);
  } catch (error) {
    if (!isUnknownUser(error)) throw error;
    return { user_id: userId, users: [], interactions: [] };
  }
}

/** Removes what a user did and was shown. */
export async function resetUser(service: MLServiceClient, userId: string): Promise<void> {
  await service.resetUser(userId).catch((error: unknown) => {
    if (!isUnknownUser(error)) throw error;
  });
}

/** Erases a user for good. A visitor becomes a user first, so that the pages that they were shown are erased too. */
export async function eraseUser(service: MLServiceClient, userId: string): Promise<void> {
  try {
    await service.eraseUser(userId);
  } catch (error) {
    if (!isUnknownUser(error)) throw error;
    await storeUserFields(service, userId, {});
    await service.eraseUser(userId);
  }
}

function isUnknownUser(error: unknown): boolean {
  return error instanceof FeedServiceError && error.code === "unknown_user";
}
