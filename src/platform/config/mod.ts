/** The configuration's front door: the settings, a tenant's limits, and how to load them. */
export { type Limits, limitsFor } from "./limits.ts";
export { defaultSettings, type LoadedSettings, loadSettings, settingsWith } from "./load.ts";
export { catalogue } from "./catalogue.ts";
export { parseSettingFlags } from "./flags.ts";
export { printLimits, printSettings } from "./print.ts";
export { type AttributeAction, type AttributeRule, type OtlpConfig } from "./otlpConfig.ts";
export { type RetentionRule } from "./retentionRules.ts";
export type { Settings } from "./settings.ts";
export { SettingsInvalid } from "./settingsTree.ts";
export { formatByteSize } from "./units.ts";
