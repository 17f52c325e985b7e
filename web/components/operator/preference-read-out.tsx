import type { ExperimentOverview } from "@feed/client";
import { Badge } from "@/components/ui/badge";
import { FigureTable } from "./figure-table";
import { Remark } from "./section";
import { interval, signed } from "./signed";

type Preference = NonNullable<ExperimentOverview["preference"]>;

/** Which ranking of an interleaving users prefer so far. */
export function PreferenceReadOut({ preference }: { preference: Preference }) {
  const { metric, control, variant, low, high, verdict } = preference;
  const isKnown = low !== null && high !== null && (low > 0 || high < 0);
  return (
    <div className="grid gap-5">
      <p>
        <Badge tone={isKnown ? "good" : "neutral"}>{isKnown ? "known" : "unknown"}</Badge> {sentence(verdict)}
      </p>
      <FigureTable
        label={`Preference in ${metric}`}
        columns={[
          { label: "Users", isNumber: true },
          { label: "In the figures", isNumber: true },
          { label: "Pages", isNumber: true },
          { label: `With posts of ${control}`, isNumber: true },
          { label: `With posts of ${variant}`, isNumber: true },
          { label: "Difference per user", isNumber: true },
          { label: "Interval" },
        ]}
        rows={[
          {
            key: variant,
            cells: [
              count(preference.users),
              count(preference.complete_users),
              count(preference.pages),
              count(preference.control_events),
              count(preference.variant_events),
              signed(preference.preference),
              interval(preference),
            ],
          },
        ]}
      />
      <Remark>
        The interval holds at every look. Users whose first page is older than IMPRESSION_DAYS are in no figure, because
        their pages are not stored.
      </Remark>
    </div>
  );
}

function sentence(verdict: string): string {
  return `${verdict[0]?.toUpperCase()}${verdict.slice(1)}.`;
}

function count(value: number): string {
  return value.toLocaleString("en");
}
