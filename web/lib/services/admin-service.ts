import {
  type ExperimentOverview,
  FeedServiceClient,
  FeedServiceError,
  type PostTrace,
  type RecommendationPage,
  type UserOverview,
} from "@feed/client";
import { config } from "@/lib/platform/config";
import { type Answer, answered, unanswered } from "./answer";

const TIMEOUT_MS = 3000;

/** The recommendation service as operators ask it, about any user. Nothing is recorded. */
export class AdminService {
  private readonly client = clientWithKey(config.mlServiceAdminKey);

  /** The first page of the user's ranked feed, with the parts of the scores. */
  servedPage(userId: string, limit: number): Promise<Answer<RecommendationPage>> {
    const context = { mode: "ranked", record: false, explain: true } as const;
    const client = clientWithKey(config.mlServiceApiKey); // the key with the scope admin may have no other
    return answerOf(() => client.recommendations({ user_id: userId, limit, context }));
  }

  /** What the feed knows about a user, and the sources of each post of their first page. */
  user(userId: string, limit: number): Promise<Answer<UserOverview>> {
    return answerOf(() => this.client.userOverview(userId, { limit }));
  }

  /** Why a post is, or is not, on the first page of a user's feed. */
  explain(userId: string, postId: string): Promise<Answer<PostTrace>> {
    return answerOf(() => this.client.explain(userId, postId));
  }

  /** The experiments with what they show so far. */
  experiments(): Promise<Answer<ExperimentOverview[]>> {
    return answerOf(async () => (await this.client.experiments()).experiments);
  }

  /** The metrics of one process of the service, in the text format of Prometheus. */
  async metrics(): Promise<Answer<string>> {
    const key = config.mlServiceAdminKey;
    try {
      const response = await fetch(`${config.mlServiceUrl.replace(/\/+$/, "")}/metrics`, {
        headers: key ? { "X-API-Key": key } : {},
        signal: AbortSignal.timeout(TIMEOUT_MS),
        cache: "no-store",
      });
      if (response.ok) return answered(await response.text());
      return unanswered(`The service has no metrics at this address: /metrics gives status ${response.status}.`);
    } catch {
      return unanswered(NO_RESPONSE);
    }
  }
}

function clientWithKey(apiKey: string | undefined): FeedServiceClient {
  return new FeedServiceClient({ baseUrl: config.mlServiceUrl, apiKey, timeoutMs: TIMEOUT_MS });
}

const NO_RESPONSE = "The service does not respond.";
const NO_RIGHT =
  "The key of this application may not ask that: set ML_SERVICE_ADMIN_KEY to a key of the service with the scope admin.";
const PROBLEMS: Record<string, string> = {
  missing_scope: NO_RIGHT,
  unauthorized: NO_RIGHT,
  unknown_user: "The feed does not know this user. The list is that of a new user.",
  unknown_post: "There is no such post.",
  invalid_id: "That is no id: an id has 1 to 128 printable characters.",
  storage_unavailable: "The database of the service does not respond.",
  overloaded: "The service is overloaded. Try again in a moment.",
};

async function answerOf<T>(call: () => Promise<T>): Promise<Answer<T>> {
  try {
    return answered(await call());
  } catch (error) {
    if (!(error instanceof FeedServiceError)) throw error;
    if (error.kind !== "problem") return unanswered(NO_RESPONSE);
    const problem = PROBLEMS[error.code ?? ""] ?? `The service answered with status ${error.status}: ${error.message}`;
    return unanswered(problem);
  }
}
