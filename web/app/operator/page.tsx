import { notFound } from "next/navigation";
import { ConsolePage } from "@/components/operator/console-page";
import { Section } from "@/components/operator/section";
import { ServiceState } from "@/components/operator/service-state";
import { config } from "@/lib/platform/config";
import { isDatabaseAvailable } from "@/lib/repositories/availability.repository";
import { MLServiceClient } from "@/lib/services/ml-service";

export const metadata = { title: "Traffic" };

export default async function TrafficPage() {
  if (!config.operatorPage) notFound();
  const [health, isAvailable] = await Promise.all([new MLServiceClient().getHealth(), isDatabaseAvailable()]);
  return (
    <ConsolePage name="Traffic" about="The state of the service.">
      <Section id="state" title="State">
        <ServiceState health={health} isDatabaseAvailable={isAvailable} feedPercent={config.feedPercent} />
      </Section>
    </ConsolePage>
  );
}
