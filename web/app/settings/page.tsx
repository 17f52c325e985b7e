import { currentViewer } from "@/app/viewer";
import { Notice } from "@/components/notice";
import { DataSection, PersonalisationSection } from "@/components/settings/data-sections";
import { ControlForm, MutedTermsSection, PeopleSection } from "@/components/settings/muted-section";
import { ReadingSection } from "@/components/settings/reading-section";
import { ResultMessage } from "@/components/settings/result-message";
import { DatabaseUnavailable } from "@/lib/platform/database";
import { isId } from "@/lib/platform/ids";
import { findProfile } from "@/lib/repositories/people.repository";
import {
  type ControlledPerson,
  findControlledPeople,
  findMutedTerms,
  findSettings,
  type MutedTerm,
  type Settings,
} from "@/lib/repositories/settings.repository";
import { messageOf } from "./messages";
import { fieldValue, fieldValues, isUnsaved, readOutcome, type SettingsQuery } from "./query";

export const metadata = { title: "Settings" };

export default async function SettingsPage({ searchParams }: { searchParams: Promise<SettingsQuery> }) {
  const query = await searchParams;
  const { id: user } = await currentViewer();
  const stored = await readAll(user, query);
  return (
    <main id="main" className="mx-auto w-full max-w-176 min-w-0 md:pb-24">
      <header className="flex min-h-16 items-center px-gutter py-3 md:px-1">
        <h1>Settings</h1>
      </header>
      <div className="overflow-clip border-y border-line bg-raised md:rounded-card md:border-x">
        {stored ? (
          <>
            <OutcomeMessage user={user} query={query} targetName={stored.targetName} />
            <Sections user={user} query={query} {...stored} />
          </>
        ) : (
          <Notice title="Your settings are temporarily unavailable">
            They are not lost. Please reload the page in a moment.
          </Notice>
        )}
      </div>
    </main>
  );
}

interface Stored {
  settings: Settings;
  terms: MutedTerm[];
  people: ControlledPerson[];
  /** The name of the person whom the last form has muted or blocked. */
  targetName: string | null;
}

/** What the page shows; null if it cannot be read. */
async function readAll(user: string, query: SettingsQuery): Promise<Stored | null> {
  try {
    const [settings, terms, people, targetName] = await Promise.all([
      findSettings(user),
      findMutedTerms(user),
      findControlledPeople(user),
      nameOfTarget(user, query),
    ]);
    return { settings, terms, people, targetName };
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return null;
    throw error;
  }
}

interface SectionsProps extends Stored {
  user: string;
  query: SettingsQuery;
}

function Sections({ user, query, settings, terms, people }: SectionsProps) {
  const shown = withUnsaved(settings, query);
  const isNewWord = fieldValue(query, "action") === "mute_word" && fieldValue(query, "undo") === null;
  const unsaved = isNewWord && isUnsaved(query, "controls") ? (fieldValue(query, "target") ?? "") : "";
  return (
    <>
      <ReadingSection user={user} settings={shown} />
      <MutedTermsSection user={user} terms={terms} unsaved={unsaved} />
      <PeopleSection user={user} people={people} />
      <PersonalisationSection user={user} personalised={shown.personalised} />
      <DataSection user={user} />
    </>
  );
}

/** What became of the form that led to this page, and the button that takes it back. */
function OutcomeMessage({
  user,
  query,
  targetName,
}: {
  user: string;
  query: SettingsQuery;
  targetName: string | null;
}) {
  const outcome = readOutcome(query);
  if (outcome === null) return null;
  const { form, result } = outcome;
  const [action, target] = [fieldValue(query, "action"), fieldValue(query, "target")];
  const undone = fieldValue(query, "undo") !== null;
  const control = action !== null && target !== null ? { action, target, undone } : null;
  const message = messageOf(form, result, control && { ...control, name: targetName ?? control.target });
  const canUndo = form === "controls" && result === "saved" && control !== null;
  return (
    <ResultMessage
      failed={result !== "saved"}
      undo={
        canUndo && <ControlForm user={user} {...control} undo={!undone} label="Undo" description={`Undo: ${message}`} />
      }
    >
      {message}
    </ResultMessage>
  );
}

/** The name of the person whom a form has muted or blocked; null for a word, a tag, and a person who blocks the user. */
async function nameOfTarget(user: string, query: SettingsQuery): Promise<string | null> {
  const [action, target] = [fieldValue(query, "action"), fieldValue(query, "target")];
  if (target === null || !isId(target) || !action?.endsWith("_author")) return null;
  return (await findProfile(user, target))?.name ?? null;
}

/** The settings as the user has entered them, if they could not be saved. */
function withUnsaved(settings: Settings, query: SettingsQuery): Settings {
  if (isUnsaved(query, "reading")) {
    const languages = fieldValues(query, "languages").filter((language) => /^[a-z]{2,8}$/i.test(language));
    return { ...settings, languages, showSensitive: fieldValue(query, "show_sensitive") === "on" };
  }
  if (isUnsaved(query, "personalisation"))
    return { ...settings, personalised: fieldValue(query, "personalised") === "on" };
  return settings;
}
