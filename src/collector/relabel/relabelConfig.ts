/** What a rule of relabel_configs may say, with Prometheus' defaults. relabel.ts owns what the rules
 *  do. */
import { Schema } from "effect";
import { Text, wholeNumber, withDefault, word } from "../config/scalars.ts";

export const RelabelConfig = Schema.Struct({
  source_labels: withDefault(Schema.Array(Text), []),
  separator: withDefault(Text, ";"),
  target_label: withDefault(Text, ""),
  regex: withDefault(Text, "(.*)"),
  modulus: withDefault(wholeNumber(0), 0),
  replacement: withDefault(Text, "$1"),
  action: withDefault(
    word(
      "replace",
      "keep",
      "drop",
      "keepequal",
      "dropequal",
      "hashmod",
      "labelmap",
      "labeldrop",
      "labelkeep",
      "lowercase",
      "uppercase",
    ),
    "replace",
  ),
});

export type RelabelConfig = typeof RelabelConfig.Type;

export const RelabelConfigs = Schema.Array(RelabelConfig);
