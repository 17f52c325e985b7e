import { X } from "lucide-react";
import { SettingsForm } from "./settings/settings-form";
import { ButtonLink } from "./ui/button";
import { IconButton } from "./ui/icon-button";

/** Invites a new user to choose interests. It has no script of its own. */
export function WelcomeCard({ user }: { user: string }) {
  return (
    <section
      aria-labelledby="welcome"
      className="relative mb-3 border-y border-line bg-raised px-gutter py-5 md:rounded-card md:border-x"
    >
      <h2 id="welcome" className="pr-10 text-lg font-bold">
        Make this feed yours
      </h2>
      <p className="mt-1 mb-3.5 text-soft">Choose a few tags and people, and your feed begins with them.</p>
      <ButtonLink href="/welcome" variant="primary">
        Choose interests
      </ButtonLink>
      <SettingsForm name="welcome" user={user} className="absolute top-3 right-3">
        <IconButton type="submit" label="Do not show this again">
          <X size={20} />
        </IconButton>
      </SettingsForm>
    </section>
  );
}
