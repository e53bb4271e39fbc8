/** Syslog messages: the examples of RFC 5424 (6.5), RFC 3164 (5.4) and RFC 6587 (3.4), expectations by hand. */
import t from "tap";
import { parseRfc3164, parseRfc5424, SyslogFramer } from "./syslogMessage.ts";

t.test("parseRfc5424", (t) => {
  t.match(
    parseRfc5424(
      "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \uFEFF'su root' failed",
    ),
    {
      severity: "critical",
      facility: "auth",
      hostname: "mymachine.example.com",
      appName: "su",
      procId: "",
      msgId: "ID47",
      time: { seconds: Date.UTC(2003, 9, 11, 22, 14, 15) / 1000, nanos: 3_000_000 },
      structuredData: [],
      message: "'su root' failed",
    },
  );
  const text =
    '<165>1 2003-10-11T22:14:15.003Z host evntslog - ID47 [a@1 iut="3" x="\\"q\\]"][b@2 c=""] An event';
  t.strictSame(parseRfc5424(text)?.structuredData, [
    ["a@1", "iut", "3"],
    ["a@1", "x", '"q]'],
    ["b@2", "c", ""],
  ]);
  t.equal(parseRfc5424(text)?.message, "An event");
  t.strictSame(
    parseRfc5424("<34>1 2003-08-24T05:14:15.000003-07:00 - - - - - x")?.time,
    { seconds: Date.UTC(2003, 7, 24, 12, 14, 15) / 1000, nanos: 3000 },
    "to the microsecond, which is what the form has",
  );
  t.equal(parseRfc5424("<34>1 yesterday - - - - - x"), undefined);
  t.equal(parseRfc5424("<34>1 - - - - - -")?.message, "", "a message may be empty");
  t.equal(parseRfc5424("<192>1 - - - - - - x"), undefined, "there is no such priority");
  t.equal(parseRfc5424("hello"), undefined);
  t.equal(parseRfc5424('<34>1 - - - - - [a b="c x'), undefined, "an element without an end");
  t.end();
});

t.test("parseRfc3164", (t) => {
  const now = Date.UTC(2026, 0, 2);
  t.match(parseRfc3164("<34>Oct 11 22:14:15 mymachine su[42]: 'su root' failed", now), {
    severity: "critical",
    facility: "auth",
    hostname: "mymachine",
    appName: "su",
    procId: "42",
    time: { seconds: Date.UTC(2025, 9, 11, 22, 14, 15) / 1000, nanos: 0 },
    message: "'su root' failed",
  });
  t.equal(parseRfc3164("<13>just text", now)?.message, "just text");
  t.equal(parseRfc3164("no priority", now), undefined);
  t.end();
});

t.test("SyslogFramer takes counted and line-feed frames, however they are cut", (t) => {
  const stream = new TextEncoder().encode("11 <34>1 a\nb c<13>one\r\n<13>two\n5 <13>x");
  const expected = ["<34>1 a\nb c", "<13>one", "<13>two", "<13>x"];
  for (let cut = 0; cut <= stream.length; cut++) {
    const framer = new SyslogFramer(100);
    const frames = [...framer.push(stream.subarray(0, cut)), ...framer.push(stream.subarray(cut))];
    t.strictSame(frames.map((frame) => new TextDecoder().decode(frame)), expected, `cut at ${cut}`);
  }
  const taken: string[] = [];
  const take = (text: string) => {
    for (const frame of new SyslogFramer(10).push(new TextEncoder().encode(text))) {
      taken.push(new TextDecoder().decode(frame));
    }
  };
  t.throws(() => take("<".repeat(40)), /max_message_length/);
  t.throws(() => take("999 <1>"), /max_message_length/);
  t.throws(() => take(`<13>a\n<13>b\n${"<".repeat(40)}`), /max_message_length/);
  t.strictSame(taken, ["<13>a", "<13>b"], "what came before is taken");
  t.end();
});
