/** The error of a metric query that met a row with __error__. Owns its wording, which begins as Loki's
 *  does, because people search for it. */
import { errorDetailsSlot, errorSlot } from "../../logql/nameTable.ts";
import type { Row } from "../../logql/row.ts";
import { formatLabels, type Labels } from "../../streams/labels.ts";

/** A sample with __error__ that nothing in the query asked for. */
export class PipelineFailed extends Error {
  override readonly name = "PipelineFailed";
}

export function pipelineFailure(row: Row): PipelineFailed {
  const error = row.text(errorSlot) ?? "";
  const details = row.text(errorDetailsSlot) ?? "";
  return new PipelineFailed(
    `pipeline error: '${error}' for series: '${formatLabels(labelsOf(row))}': ${details}. ` +
      'To leave such lines out add | __error__="" after the stage that fails (after unwrap too), ' +
      "or | drop __error__, __error_details__ to count them all the same",
  );
}

function labelsOf(row: Row): Labels {
  const labels: Array<readonly [string, string]> = [];
  for (let index = 0; index < row.memberCount; index++) {
    const slot = row.members[index]!;
    const value = row.text(slot);
    if (value !== undefined && value !== "" && slot !== errorDetailsSlot) {
      labels.push([row.names.text(slot), value]);
    }
  }
  return labels.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
}
