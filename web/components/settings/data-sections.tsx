import { DELETION_WORD } from "@/lib/feed/settings";
import { Button, ButtonLink } from "../ui/button";
import { TextField } from "../ui/text-field";
import { Choice } from "./choice";
import { FinalForm } from "./final-form";
import { Section } from "./section";
import { SettingsForm } from "./settings-form";

/** Whether the user's events rank their feed, declared interests, and the way back to the feed of a new user. */
export function PersonalisationSection({ user, personalised }: { user: string; personalised: boolean }) {
  return (
    <Section
      id="personalisation"
      title="Your feed"
      description="Without personalisation, your feed is ranked as that of a new user, whatever you read and like."
    >
      <SettingsForm name="personalisation" user={user} className="grid gap-3">
        <Choice name="personalised" label="Personalise my feed" defaultChecked={personalised} />
        <Button type="submit" variant="primary" className="justify-self-start">
          Save
        </Button>
      </SettingsForm>
      <div className="mt-6 grid justify-items-start gap-3">
        <ButtonLink href="/welcome">Choose interests</ButtonLink>
        <details className="w-full">
          <summary className="font-semibold">Reset my feed</summary>
          <FinalForm name="reset" user={user} className="mt-2 grid gap-3">
            <p>
              Resetting removes your likes, comments, shares and follows, what you have hidden, muted and blocked, and
              your interests. Your posts and settings stay. It cannot be undone.
            </p>
            <Button type="submit" variant="danger" className="justify-self-start">
              Reset now
            </Button>
          </FinalForm>
        </details>
      </div>
    </Section>
  );
}

/** Export and deletion. */
export function DataSection({ user }: { user: string }) {
  return (
    <Section id="data" title="Your data" description="All that is stored about you, as a file of JSON.">
      <form action="/api/settings/export">
        <Button type="submit">Export my data</Button>
      </form>
      <FinalForm name="deletion" user={user} className="mt-6 grid gap-3">
        <label htmlFor="confirmation">
          Deleting removes you, your posts with all replies to them, and everything you did here, for good. To confirm,
          enter the word <strong>{DELETION_WORD}</strong>.
        </label>
        <div className="flex flex-wrap gap-2">
          <TextField
            id="confirmation"
            name="confirmation"
            className="min-w-0 flex-1 basis-40"
            required
            autoComplete="off"
          />
          <Button type="submit" variant="danger">
            Delete my data
          </Button>
        </div>
      </FinalForm>
    </Section>
  );
}
