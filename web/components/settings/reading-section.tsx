import type { Settings } from "@/lib/repositories/settings.repository";
import { Button } from "../ui/button";
import { Choice } from "./choice";
import { Section } from "./section";
import { SettingsForm } from "./settings-form";

/** The languages with the most readers on the web. Others are listed if the user has chosen them. */
const LANGUAGES = [
  ...["en", "de", "es", "fr", "it", "pt", "nl", "pl", "sv", "tr", "ru", "uk", "ar", "fa", "hi", "bn", "id", "vi"],
  ...["th", "ja", "ko", "zh"],
];

interface ReadingSectionProps {
  user: string;
  settings: Settings;
}

/** Languages and sensitive posts. */
export function ReadingSection({ user, settings }: ReadingSectionProps) {
  const chosen = new Set(settings.languages.map(primaryLanguage));
  const languages = [...new Set([...LANGUAGES, ...chosen])];
  return (
    <Section
      id="reading"
      title="What you read"
      description="Without a choice you get posts in all languages. Posts that do not say their language are always shown."
    >
      <SettingsForm name="reading" user={user}>
        <fieldset>
          <legend className="mb-2 font-semibold">Languages</legend>
          <div className="grid grid-cols-[repeat(auto-fill,minmax(9.5rem,1fr))] gap-2">
            {languages.map((language) => (
              <Choice
                key={language}
                name="languages"
                value={language}
                label={nameOf(language)}
                labelLanguage={language}
                defaultChecked={chosen.has(language)}
              />
            ))}
          </div>
        </fieldset>
        <Choice
          className="mt-4"
          name="show_sensitive"
          label="Show posts that their authors mark as sensitive"
          defaultChecked={settings.showSensitive}
        />
        <Button type="submit" variant="primary" className="mt-4">
          Save
        </Button>
      </SettingsForm>
    </Section>
  );
}

/** `de` of `de-CH`: posts are filtered without the region. */
function primaryLanguage(language: string): string {
  return (language.split("-")[0] ?? language).toLowerCase();
}

/** The name of a language in this language, with a capital letter at its start; an unknown language as it is. */
function nameOf(language: string): string {
  try {
    const name = new Intl.DisplayNames([language, "en"], { type: "language" }).of(language) ?? language;
    return name.replace(/^\p{Ll}/u, (letter) => letter.toLocaleUpperCase(language));
  } catch {
    return language;
  }
}
