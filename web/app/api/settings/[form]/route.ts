import { newUuid } from "@feed/client";
import type { NextRequest } from "next/server";
import { answerForm, type FormRules } from "@/app/api/settings/answer-form";
import { closedWelcome } from "@/app/welcome/cookie";
import { sendFeedback } from "@/lib/feed/feedback";
import { sendFollow } from "@/lib/feed/follows";
import { pendingWrites } from "@/lib/feed/pending-writes";
import {
  controlForm,
  deletionForm,
  interestsForm,
  personalisationForm,
  plainForm,
  readingForm,
} from "@/lib/feed/settings";
import { problem } from "@/lib/platform/problem";
import { endSession } from "@/lib/platform/session";
import { registerVisitor } from "@/lib/repositories/user.repository";
import { eraseUser, resetUser, storeUserFields } from "@/lib/repositories/user-data.repository";

export const dynamic = "force-dynamic";

const PAGE = "/settings";
/** Reading, resetting and erasing all data of a user cost as much as many events. */
const COSTLY = 100;
/** A reset and an erasure wait this long for events that the browser has just sent. */
const PENDING_WRITES_MS = 2000;

const FORMS = {
  reading: form({
    name: "reading",
    schema: readingForm,
    page: PAGE,
    writes: 1,
    store: (service, userId, { languages, show_sensitive }) =>
      storeUserFields(service, userId, { languages, show_sensitive }),
  }),
  personalisation: form({
    name: "personalisation",
    schema: personalisationForm,
    page: PAGE,
    writes: 1,
    store: (service, userId, { personalised }) => storeUserFields(service, userId, { personalised }),
  }),
  controls: form({
    name: "controls",
    schema: controlForm,
    page: PAGE,
    writes: 1,
    saved: ({ control, undo }) => ({
      action: control.action,
      target: "author_id" in control ? control.author_id : "word" in control ? control.word : control.tag,
      ...(undo && { undo: "on" }),
    }),
    store: (service, userId, { control, undo }) => {
      const feedback = { user_id: userId, ...control, undo, event_id: newUuid() };
      return sendFeedback(service, feedback, () => registerVisitor(userId));
    },
  }),
  interests: form({
    name: "interests",
    schema: interestsForm,
    page: "/welcome",
    nextPage: "/",
    writes: 10,
    store: async (service, userId, { tags, authors }) => {
      await storeUserFields(service, userId, { tags, authors });
      for (const author_id of authors) {
        await sendFollow(service, userId, { author_id, follows: true }, () => registerVisitor(userId));
      }
    },
  }),
  welcome: form({
    name: "welcome",
    schema: plainForm,
    page: "/settings",
    nextPage: "/",
    writes: 1,
    store: async () => undefined,
    finish: async (response) => void response.cookies.set(closedWelcome()),
  }),
  reset: form({
    name: "reset",
    schema: plainForm,
    page: PAGE,
    writes: COSTLY,
    store: async (service, userId) => {
      await pendingWrites.settle(userId, PENDING_WRITES_MS);
      await resetUser(service, userId);
    },
  }),
  deletion: form({
    name: "deletion",
    schema: deletionForm,
    page: PAGE,
    writes: COSTLY,
    store: async (service, userId) => {
      await pendingWrites.settle(userId, PENDING_WRITES_MS);
      await eraseUser(service, userId);
    },
    finish: async (response, userId) => {
      await endSession(response, userId);
      // Events that were not sent yet are data of the user as well.
      response.headers.set("Clear-Site-Data", '"storage"');
    },
  }),
};

function form<Body extends { user?: unknown }>(rules: FormRules<Body>): (request: NextRequest) => Promise<Response> {
  return (request) => answerForm(request, rules);
}

/**
 * `POST /api/settings/FORM`: stores one of the forms of `/settings` and `/welcome` for the session's user, and leads to
 * the page that shows the result.
 */
export async function POST(request: NextRequest, { params }: { params: Promise<{ form: string }> }): Promise<Response> {
  const { form: name } = await params;
  if (!Object.hasOwn(FORMS, name)) return problem(404, "not_found", "form: there is no form of this name");
  return FORMS[name as keyof typeof FORMS](request);
}
