/** What the command line uses of the collector. */
export { type CollectorConfig } from "./config/collectorConfig.ts";
export { ConfigInvalid, configWarnings, parseConfig } from "./config/load.ts";
export { printConfig } from "./config/printConfig.ts";
export { dryRunInput, EntryPrinter } from "./dryRun.ts";
export { kubernetesConfig, withClient } from "./kubernetesConfig.ts";
export { permissionsOf } from "./permissions.ts";
