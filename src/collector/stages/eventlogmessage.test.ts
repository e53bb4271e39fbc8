/** The stage eventlogmessage. After Promtail's documentation. */
import t from "tap";
import { extracted } from "../../testing/collectorPipelines.ts";

const line = JSON.stringify({
  event_id: 1,
  Overwritten: "old",
  message:
    "Message type:\r\nOverwritten: new\r\nImage: C:\\Users\\promtail.exe\r\n4: four\r\nno key",
});
const json = "- json: {expressions: {message: , Overwritten: }}\n";
const names = ["Message_type", "Overwritten", "Overwritten_extracted", "Image", "_"];

t.test("eventlogmessage extracts keys of a message", (t) => {
  const f = (config: string, expected: Record<string, string>) =>
    t.strictSame(extracted(`${json}- eventlogmessage: ${config}`, names, line), expected, config);
  const Image = "C:\\Users\\promtail.exe";
  f("{source: message, overwrite_existing: true}", { Overwritten: "new", Image, _: "four" });
  f("{}", { Overwritten: "old", Overwritten_extracted: "new", Image, _: "four" });
  f("{drop_invalid_labels: true}", { Overwritten: "old", Overwritten_extracted: "new", Image });
  f("{source: missing}", { Overwritten: "old" });
  t.end();
});
