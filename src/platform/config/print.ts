/** Prints the effective configuration as a YAML file that would produce it again, but for secrets, which are never shown. Owns
 *  the layout; load.ts knows where values came from. */
import { Schema } from "effect";
import { stringify } from "yaml";
import { catalogue } from "./catalogue.ts";
import { Limits } from "./limits.ts";
import type { LoadedSettings } from "./load.ts";
import { hiddenSecret, hideUrlPasswords } from "./secrets.ts";
import { Settings } from "./settings.ts";

export interface PrintOptions {
  /** A comment above each key that says what it is for. */
  readonly describe?: boolean;
  /** Only what differs from these settings. */
  readonly differingFrom?: Settings;
}

/** YAML with a comment after each value that is not the default, saying where it comes from. */
export function printSettings(
  loaded: Pick<LoadedSettings, "settings" | "origins">,
  options: PrintOptions = {},
): string {
  const written = Schema.encodeSync(Settings)(loaded.settings);
  const other = options.differingFrom && Schema.encodeSync(Settings)(options.differingFrom);
  const lines: Array<string> = [];
  let above: ReadonlyArray<string> = [];
  for (const entry of catalogue) {
    const keys = entry.path.split(".");
    if (other !== undefined && valueAt(written, keys) === valueAt(other, keys)) continue;
    const sections = keys.slice(0, -1);
    sections.forEach((section, depth) => {
      if (section !== above[depth]) lines.push(`${"  ".repeat(depth)}${section}:`);
    });
    above = sections;
    const indent = "  ".repeat(sections.length);
    if (options.describe) lines.push(`${indent}# ${entry.description}.`);
    const origin = loaded.origins.get(entry.path);
    const value = withoutSecret(entry.path, valueAt(written, keys));
    // A file that was made of this must not set a secret to what stands for it.
    const isHidden = value === hiddenSecret ? "# " : "";
    lines.push(`${indent}${isHidden}${keys.at(-1)}: ${scalarText(value)}${comment(origin)}`);
  }
  const tenants = Object.entries(written.overrides);
  if (options.describe) {
    lines.push(
      "# Limits of single tenants, by tenant, each in the place of that of limits_config.",
    );
    if (tenants.length === 0) lines.push("overrides: {}");
  }
  if (tenants.length > 0) lines.push("overrides:");
  for (const [tenant, limits] of tenants) {
    lines.push(`  ${scalarText(tenant)}:`);
    for (const [key, value] of Object.entries(limits)) {
      const origin = loaded.origins.get(`overrides.${tenant}.${key}`);
      lines.push(`    ${key}: ${scalarText(value)}${comment(origin)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** The limits of one tenant as YAML. */
export function printLimits(limits: Limits): string {
  const written = Schema.encodeSync(Limits)(limits);
  const lines = Object.entries(written).map(([key, value]) => `${key}: ${scalarText(value)}\n`);
  return lines.join("");
}

/** What may be shown of a setting: passwords not, also those in addresses. */
function withoutSecret(path: string, value: unknown): unknown {
  if (typeof value !== "string" || value === "") return value;
  if (/(^|[._])(password|credentials|secret_access_key|session_token)$/.test(path)) {
    return hiddenSecret;
  }
  if (/[._](url|endpoint)$/.test(path)) {
    return hideUrlPasswords(value);
  }
  return value;
}

function comment(origin: string | undefined): string {
  return origin === undefined ? "" : ` # ${origin}`;
}

/** On one line, whatever is in it. */
function scalarText(value: unknown): string {
  return stringify(value, { lineWidth: 0, blockQuote: false }).trimEnd();
}

function valueAt(tree: unknown, keys: ReadonlyArray<string>): unknown {
  return keys.reduce((branch, key) => (branch as Record<string, unknown>)[key], tree);
}
