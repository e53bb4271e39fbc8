/** Every pipeline stage by its name in a configuration. */
import { cri } from "./cri.ts";
import { decolorize } from "./decolorize.ts";
import { docker } from "./docker.ts";
import { drop } from "./drop.ts";
import { eventlogmessage } from "./eventlogmessage.ts";
import { geoip } from "./geoip.ts";
import { json } from "./json.ts";
import { labelallow } from "./labelallow.ts";
import { labeldrop } from "./labeldrop.ts";
import { labels } from "./labels.ts";
import { limit } from "./limit.ts";
import { logfmt } from "./logfmt.ts";
import { match } from "./match.ts";
import { metrics } from "./metrics.ts";
import { multiline } from "./multiline.ts";
import { output } from "./output.ts";
import { pack } from "./pack.ts";
import { regex } from "./regex.ts";
import { replace } from "./replace.ts";
import { sampling } from "./sampling.ts";
import { stackTraces } from "./stackTraces.ts";
import { staticLabels } from "./staticLabels.ts";
import { template } from "./template.ts";
import { tenant } from "./tenant.ts";
import { timestamp } from "./timestamp.ts";
import { nonIndexedLabels, structuredMetadata } from "./structuredMetadata.ts";
import type { StageDefinition } from "./stageDefinition.ts";

export const stageDefinitions: ReadonlyMap<string, StageDefinition> = new Map(
  [
    cri,
    decolorize,
    docker,
    drop,
    eventlogmessage,
    geoip,
    json,
    labelallow,
    labeldrop,
    labels,
    limit,
    logfmt,
    match,
    metrics,
    multiline,
    output,
    pack,
    regex,
    replace,
    sampling,
    stackTraces,
    staticLabels,
    template,
    tenant,
    timestamp,
    nonIndexedLabels,
    structuredMetadata,
  ].map((definition) => [definition.name, definition]),
);
