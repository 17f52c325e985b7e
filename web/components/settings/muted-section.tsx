import { MAX_TERM_LENGTH } from "@/lib/feed/settings";
import type { ControlledPerson, MutedTerm } from "@/lib/repositories/settings.repository";
import { Avatar } from "../ui/avatar";
import { Button } from "../ui/button";
import { TextField } from "../ui/text-field";
import { Section } from "./section";
import { SettingsForm } from "./settings-form";

interface ControlFormProps {
  user: string;
  action: string;
  target: string;
  /** Whether the button takes the control back. */
  undo: boolean;
  label: string;
  /** The name of the button for screen readers. */
  description: string;
}

/** A button that sets a control, or takes it back. */
export function ControlForm({ user, action, target, undo, label, description }: ControlFormProps) {
  return (
    <SettingsForm name="controls" user={user}>
      <input type="hidden" name="action" value={action} />
      <input type="hidden" name="target" value={target} />
      {undo && <input type="hidden" name="undo" value="on" />}
      <Button type="submit" size="small" aria-label={description}>
        {label}
      </Button>
    </SettingsForm>
  );
}

interface TermsProps {
  user: string;
  terms: MutedTerm[];
  /** The word that could not be saved. */
  unsaved: string;
}

/** Muted words and tags, with a field for a new one. */
export function MutedTermsSection({ user, terms, unsaved }: TermsProps) {
  return (
    <Section
      id="words"
      title="Muted words"
      description="You get no posts with these words, or with these words in this order. A word that begins with # mutes the tag."
    >
      <SettingsForm name="controls" user={user} className="flex flex-wrap gap-2">
        <input type="hidden" name="action" value="mute_word" />
        <TextField
          name="target"
          aria-label="Word to mute"
          placeholder="A word or a #tag"
          className="min-w-0 flex-1 basis-48"
          required
          maxLength={MAX_TERM_LENGTH}
          autoComplete="off"
          defaultValue={unsaved}
        />
        <Button type="submit" variant="primary">
          Mute
        </Button>
      </SettingsForm>
      {terms.length > 0 && (
        <ul className="mt-4 grid gap-1" aria-label="Muted words">
          {terms.map(({ action, term }) => (
            <li key={`${action} ${term}`} className="flex items-center justify-between gap-3 py-1">
              <span className="min-w-0 wrap-anywhere" dir="auto">
                {nameOfTerm(action, term)}
              </span>
              <ControlForm
                user={user}
                action={action}
                target={term}
                undo
                label="Unmute"
                description={`Unmute ${nameOfTerm(action, term)}`}
              />
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

/** Muted and blocked people. */
export function PeopleSection({ user, people }: { user: string; people: ControlledPerson[] }) {
  return (
    <Section
      id="people"
      title="Muted and blocked people"
      description="You get no posts by muted people. You and the people you block do not see each other's posts."
    >
      {people.length === 0 ? (
        <p className="text-soft">Nobody. The menus of posts and profiles mute and block people.</p>
      ) : (
        <ul className="grid gap-2" aria-label="Muted and blocked people">
          {people.map(({ id, name, action }) => {
            const label = action === "mute_author" ? "Unmute" : "Unblock";
            return (
              <li key={`${action} ${id}`} className="flex items-center gap-3">
                <Avatar id={id} name={name} size={36} />
                <span className="min-w-0 flex-1 leading-tight">
                  <span className="block font-semibold wrap-anywhere">{name}</span>
                  <span className="text-sm text-soft">{action === "mute_author" ? "muted" : "blocked"}</span>
                </span>
                <ControlForm
                  user={user}
                  action={action}
                  target={id}
                  undo
                  label={label}
                  description={`${label} @${name}`}
                />
              </li>
            );
          })}
        </ul>
      )}
    </Section>
  );
}

/** A word or a tag as it is shown. */
export function nameOfTerm(action: string, term: string): string {
  return action === "mute_tag" ? `#${term.replace(/^#+/, "")}` : term;
}
