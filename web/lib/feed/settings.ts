import type { FeedbackTarget } from "@feed/client";
import { z } from "zod";
import { idOf } from "@/lib/platform/body";
import { checkbox, checkboxes } from "@/lib/platform/form";

/** The longest word or tag that can be muted, in characters. */
export const MAX_TERM_LENGTH = 100;
/** A new user chooses at least this many interests. */
export const MIN_INTERESTS = 3;
/** What a user types to delete their data. */
export const DELETION_WORD = "delete";
const MAX_LANGUAGES = 50;
const MAX_INTERESTS = 100;

const user = z.string("must be a string").optional();
const language = z.string().regex(/^[a-z]{2,8}$/i, "must be a language such as de");
const tag = z.string().min(1, "must have 1 character at least").max(MAX_TERM_LENGTH, "is too long");
/** A word or a tag that a user mutes. */
export const mutedTerm = z
  .string("must be a word")
  .transform((given) => given.trim())
  .refine((given) => /[^\s#]/.test(given) && [...given].length <= MAX_TERM_LENGTH, "must be a word or a tag")
  .refine((given) => !given.includes("\0"), "must be text without NUL");

/** The form of what the user reads: languages, none for all, and sensitive posts. */
export const readingForm = z.object({ user, languages: checkboxes(language, MAX_LANGUAGES), show_sensitive: checkbox });

/** The form that turns personalisation on or off. */
export const personalisationForm = z.object({ user, personalised: checkbox });

/**
 * The form that mutes or blocks a person, or mutes a word or a tag, and takes it back with `undo`. A new word that
 * begins with # is a tag.
 */
export const controlForm = z
  .discriminatedUnion("action", [
    z.object({ user, undo: checkbox, action: z.enum(["mute_author", "block_author"]), target: idOf("an author") }),
    z.object({ user, undo: checkbox, action: z.enum(["mute_word", "mute_tag"]), target: mutedTerm }),
  ])
  .transform(({ user: sender, undo, action, target }) => {
    const isTag = action === "mute_word" && !undo && target.startsWith("#");
    return { user: sender, undo, control: controlOf(isTag ? "mute_tag" : action, target) };
  });

/** The form of the interests that a user declares. */
export const interestsForm = z
  .object({
    user,
    tags: checkboxes(tag, MAX_INTERESTS),
    authors: checkboxes(idOf("an author"), MAX_INTERESTS),
  })
  .refine(({ tags, authors }) => tags.length + authors.length >= MIN_INTERESTS, `must have at least ${MIN_INTERESTS}`);

/** A form that is a button only. */
export const plainForm = z.object({ user });

/** The form that deletes the user's data. */
export const deletionForm = z.object({
  user,
  confirmation: z
    .string()
    .refine((given) => given.trim().toLowerCase() === DELETION_WORD, `must be the word ${DELETION_WORD}`),
});

type ControlTarget = Exclude<FeedbackTarget, { post_id: string }>;

function controlOf(action: ControlTarget["action"], target: string): ControlTarget {
  if (action === "mute_word") return { action, word: target };
  if (action === "mute_tag") return { action, tag: target };
  return { action, author_id: target };
}
