import { FeedServiceError } from "@feed/client";
import { type NextRequest, NextResponse } from "next/server";
import type { z } from "zod";
import { type FormName, type Result, resultOf, resultPath } from "@/app/settings/result";
import { pendingWrites } from "@/lib/feed/pending-writes";
import { logger } from "@/lib/logger";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { parseForm } from "@/lib/platform/form";
import { metrics } from "@/lib/platform/metrics";
import { readUserRequest } from "@/lib/platform/user-request";
import { MLServiceClient } from "@/lib/services/ml-service";

const MAX_LENGTH = 8 * 1024;
/** These fields are not shown again after a failure. */
const NOT_KEPT = new Set(["user", "confirmation"]);
const RESULTS: Record<number, Exclude<Result, "saved">> = {
  401: "no_session",
  409: "other_user",
  413: "invalid",
  400: "invalid",
  429: "too_many",
};

export interface FormRules<Body> {
  name: FormName;
  schema: z.ZodType<Body>;
  /** The page of the form. */
  page: string;
  /** The page after a success. Default: that of the form. */
  nextPage?: string;
  /** The fields of which the page says that they are saved. */
  saved?: (body: Body) => Record<string, string>;
  /** The number of writes that the form counts as, for the limit of the session. */
  writes: number;
  store: (service: MLServiceClient, userId: string, body: Body) => Promise<void>;
  /** Completes the response after a success. */
  finish?: (response: NextResponse, userId: string) => Promise<void>;
}

/**
 * The response to an HTML form of the session's user. It leads to the page with the result (303), so forms work without
 * scripts. After a failure the page has the fields as the user entered them. A form of another site gets 403.
 */
export async function answerForm<Body extends { user?: unknown }>(
  request: NextRequest,
  rules: FormRules<Body>,
): Promise<Response> {
  const { name, schema, page, nextPage = page, saved, writes, store, finish } = rules;
  const copy = request.clone();
  const read = await readUserRequest(request, {
    schema,
    invalidCode: "invalid_form",
    maxLength: MAX_LENGTH,
    parse: parseForm,
    writes: () => writes,
  });
  const fail = async (result: Exclude<Result, "saved">) => {
    metrics.settings.inc({ form: name, result });
    const text = await copy.text();
    const fields = Object.entries(parseForm(text.length > MAX_LENGTH ? "" : text));
    return redirect(resultPath(page, name, result, Object.fromEntries(fields.filter(([key]) => !NOT_KEPT.has(key)))));
  };
  if (read instanceof Response) {
    const result = RESULTS[read.status];
    return result === undefined ? read : fail(result);
  }
  const { userId, body } = read;
  try {
    await pendingWrites.add(userId, store(MLServiceClient.withTraceOf(request), userId, body));
  } catch (error) {
    if (!(error instanceof FeedServiceError || error instanceof DatabaseUnavailable)) throw error;
    logger.warn("settings.failed", { form: name, error });
    return fail(error instanceof FeedServiceError ? resultOf(error) : "unavailable");
  }
  metrics.settings.inc({ form: name, result: "saved" });
  const response = redirect(nextPage === page ? resultPath(page, name, "saved", saved?.(body)) : nextPage);
  await finish?.(response, userId);
  return response;
}

function redirect(path: string): NextResponse {
  return new NextResponse(null, { status: 303, headers: { Location: path, "Cache-Control": "no-store" } });
}
