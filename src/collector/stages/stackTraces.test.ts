/** The stage stack_traces on traces as the languages' runtimes print them. Each block of a case is one entry; all lines of a case
 *  are fed one after another. */
import t from "tap";
import { pipelineProblems, runPipeline, TestPipeline } from "../../testing/collectorPipelines.ts";

/** Blocks of lines, each of which must come out as one. */
const cases: Readonly<Record<string, ReadonlyArray<string>>> = {
  "plain lines": [
    "one",
    "two",
    "",
    "level=info msg=x",
    '{"a":1}',
    "# comment",
    "#1 of 3",
    "}",
    "end",
  ],
  "Java, logged": [
    "2024-01-01 10:00:00 INFO started",
    "2024-01-01 10:00:01 ERROR c.s.Cart - failed\njava.lang.IllegalStateException: Failed to load\n" +
    "\tat com.shop.Cart.load(Cart.java:42)\n\tat com.shop.Cart.main(Cart.java:10)\n" +
    "Caused by: java.io.IOException: broken\n\tat com.shop.Disk.read(Disk.java:7)\n\t... 2 more\n" +
    "\tSuppressed: java.lang.RuntimeException: x\n\t\tat a.b.c(D.java:1)",
    "2024-01-01 10:00:02 INFO next",
  ],
  "Java, uncaught": [
    'Exception in thread "main" java.lang.NullPointerException\n\tat a.B.main(B.java:3)',
    "after",
  ],
  "Python, logged with its message": [
    "INFO:root:fine",
    "ERROR:root:failed\nTraceback (most recent call last):\n" +
    '  File "/app/a.py", line 3, in f\n    g()\n    ~^^\nValueError: bad value',
    "INFO:root:next",
  ],
  "Python, chained": [
    'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    1/0\n' +
    "ZeroDivisionError: division by zero\n\n" +
    "During handling of the above exception, another exception occurred:\n\n" +
    "Traceback (most recent call last):\n  File \"a.py\", line 3, in <module>\nKeyError: 'x'",
    "next",
  ],
  "Go, panic": [
    "2024/01/01 10:00:00 listening",
    "panic: runtime error: invalid memory address or nil pointer dereference\n" +
    "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x48]\n\n" +
    "goroutine 1 [running]:\nmain.(*Server).handle(0x0, {0xc000012345, 0x5})\n" +
    "\t/app/main.go:12 +0x1d\nmain.main()\n\t/app/main.go:7 +0x20\n\n" +
    "goroutine 6 [chan receive]:\nnet/http.(*conn).serve(0xc00012, 0x1)\n\t/go/http.go:1 +0x1\n" +
    "created by net/http.(*Server).Serve in goroutine 1\n\t/go/http.go:2 +0x2\nexit status 2",
    "2024/01/01 10:00:01 listening",
  ],
  "Node.js, logged": [
    "Error: boom\n    at load (/app/a.js:3:9)\n    at async main (/app/a.js:9:1) {\n  code: 'E_X'\n}",
    "next",
  ],
  "Node.js, uncaught": [
    "/app/a.js:3\n    throw new TypeError('x');\n    ^\n\nTypeError: x\n    at load (/app/a.js:3:9)",
    "Node.js has left",
  ],
  ".NET": [
    "Unhandled exception. System.InvalidOperationException: outer\n" +
    " ---> System.ArgumentException: inner\n   at N.M() in /src/a.cs:line 3\n" +
    "   --- End of inner exception stack trace ---\n   at N.Main() in /src/a.cs:line 9\n" +
    "--- End of stack trace from previous location where exception was thrown ---\n   at N.X()",
    "info: Microsoft.Hosting.Lifetime[0]\n      Now listening on: http://[::]:80",
  ],
  "Ruby": [
    "a.rb:1:in `f': boom (RuntimeError)\n\tfrom a.rb:3:in `g'\n\tfrom a.rb:5:in `<main>'",
    "Traceback (most recent call last):\n\t1: from a.rb:5:in `<main>'\na.rb:1:in `f': boom (RuntimeError)",
    "next",
  ],
  "PHP": [
    "PHP Fatal error:  Uncaught Exception: x in /a.php:3\nStack trace:\n#0 /a.php(5): f()\n#1 {main}\n" +
    "  thrown in /a.php on line 3",
    "next",
  ],
};

for (const [name, blocks] of Object.entries(cases)) {
  t.test(name, (t) => {
    const lines = blocks.flatMap((block) => block.split("\n"));
    const joined = runPipeline("- stack_traces:", lines).map(({ line }) => line);
    t.strictSame(joined, blocks);
    t.end();
  });
}

t.test("a trace's head joins the line before it only if both were written at once", (t) => {
  const cri = (time: string, line: string) => `2024-01-01T00:00:${time}Z stderr F ${line}`;
  const run = (second: string) =>
    runPipeline("- cri:\n- stack_traces:", [
      cri("00.000000001", "message"),
      cri(second, "Traceback (most recent call last):"),
      cri(second, "KeyError: 'x'"),
    ]).map(({ line }) => line);
  t.strictSame(run("00.005"), ["message\nTraceback (most recent call last):\nKeyError: 'x'"]);
  t.strictSame(run("00.500"), ["message", "Traceback (most recent call last):\nKeyError: 'x'"]);
  t.end();
});

t.test("origins are kept apart; a line waits no longer than it must", (t) => {
  const test = new TestPipeline("- stack_traces: {max_wait_time: 1s}", { nowMs: 0 });
  const other = {};
  test.feed(["Error: a"]).feed(["Error: b"], other).feed(["  at a"]).feed(["  at b"], other);
  t.equal(test.held().length, 4, "each line is told");
  test.pipeline.tick(999);
  t.strictSame(test.take(), []);
  test.pipeline.tick(1000);
  t.strictSame(test.take().map(({ line }) => line), ["Error: a\n  at a", "Error: b\n  at b"]);
  t.end();
});

t.test("a block is bounded", (t) => {
  const lines = ["head", ...Array.from({ length: 5 }, (_, index) => ` ${index}`)];
  t.strictSame(
    runPipeline("- stack_traces: {max_lines: 3}", lines).map(({ line }) => line),
    ["head\n 0\n 1", " 2\n 3\n 4"],
  );
  t.match(String(pipelineProblems("- stack_traces: {max_lines: 0}")), "max_lines");
  t.end();
});
