import { nameOfTerm } from "@/components/settings/muted-section";
import { DELETION_WORD, MIN_INTERESTS } from "@/lib/feed/settings";
import { FAILURES, type FormName, type Result } from "./result";

const SAVED: Record<Exclude<FormName, "controls"> | "export", string> = {
  reading: "Saved. It holds from the next page of your feed on.",
  personalisation: "Saved. It holds from the next page of your feed on.",
  interests: "Saved.",
  welcome: "Saved.",
  reset: "Your feed is reset. It begins like that of a new user.",
  deletion: "Your data is deleted, and your session has ended. You are a new visitor now.",
  export: "Your data is exported.",
};

/** A control that a form has set or taken back. */
export interface ChangedControl {
  action: string;
  /** The word or tag, or the name of the person. */
  name: string;
  undone: boolean;
}

/** What the page says about a form. */
export function messageOf(form: FormName | "export", result: Result, control: ChangedControl | null): string {
  if (result === "saved") return form === "controls" ? controlMessage(control) : SAVED[form];
  if (result === "invalid" && form === "deletion")
    return `Nothing was deleted. Enter the word ${DELETION_WORD} to confirm.`;
  if (result === "invalid" && form === "interests") return `Please choose ${MIN_INTERESTS} or more.`;
  return FAILURES[result];
}

function controlMessage(control: ChangedControl | null): string {
  if (!control) return "Saved.";
  const { action, name, undone } = control;
  switch (action) {
    case "mute_author":
      return undone ? `You no longer mute @${name}.` : `You muted @${name}.`;
    case "block_author":
      return undone ? `You no longer block @${name}.` : `You blocked @${name}.`;
    default:
      return `${undone ? "No longer muted" : "Muted"}: ${nameOfTerm(action, name)}`;
  }
}
