/** print, println and printf: each row follows from https://pkg.go.dev/fmt. */
import t, { type Test } from "tap";
import { renderSample } from "../../../testing/templates.ts";

const table = (t: Test, rows: ReadonlyArray<readonly [string, string]>) => {
  for (const [call, wanted] of rows) t.equal(renderSample(`{{${call}}}`), wanted, call);
  t.end();
};

t.test("print and println", (t) =>
  table(t, [
    ['print "a" "b" 1 2 true "c" 3', "ab1 2 truec3"],
    ["print", ""],
    ['println "a" 1 2', "a 1 2\n"],
    [
      "print 1.0 2.5 1e21 1e20 123456789.0 0.0001 0.00001",
      "1 2.5 1e+21 1e+20 1.23456789e+08 0.0001 1e-05",
    ],
    ["print nil", "<nil>"],
  ]));

t.test("integers", (t) =>
  table(t, [
    ['printf "%d|%5d|%-5d|%05d|%+d|% d" 42 42 42 42 42 42', "42|   42|42   |00042|+42| 42"],
    [
      'printf "%d|%05d|%x|%X|%#x|%o|%#o|%O|%b" -42 -42 255 255 255 8 8 8 5',
      "-42|-0042|ff|FF|0xff|10|010|0o10|101",
    ],
    [
      'printf "%.5d|%8.3d|%-8.3d|%c|%q|%U|%#U" 42 7 7 0x4e16 65 0x1F600 233',
      "00042|     007|007     |世|'A'|U+1F600|U+00E9 'é'",
    ],
    ['printf "%v|%6v|%T" 7 7 7', "7|     7|int"],
  ]));

t.test("floats", (t) =>
  table(t, [
    [
      'printf "%f|%.2f|%8.2f|%-8.1f|%08.3f|%+.1f" 3.14159 3.14159 3.14159 3.14159 3.14159 3.14159',
      "3.141590|3.14|    3.14|3.1     |0003.142|+3.1",
    ],
    ['printf "%.0f %.0f %.0f %.1f %.2f" 0.5 1.5 2.5 0.25 1.005', "0 2 2 0.2 1.00"],
    [
      'printf "%e|%.2e|%E|%g|%.3g|%G|%g" 123456.789 123456.789 0.5 1e6 1234.5678 1e-10 100000.0',
      "1.234568e+05|1.23e+05|5.000000E-01|1e+06|1.23e+03|1E-10|100000",
    ],
    [
      'printf "%.3g|%.10g|%g|%.1f|%f" 100.0 12.5 0.1 99.95 1e21',
      "100|12.5|0.1|100.0|1000000000000000000000.000000",
    ],
    ['printf "%v %6.2f %06.2f" 2.0 -1.5 -1.5', "2  -1.50 -01.50"],
    ['printf "%5.1f|%+v|%f" (float64 "inf") (float64 "-inf") (float64 "nan")', " +Inf|-Inf|NaN"],
    ['printf "%.1e %.1f %.0e" 9.96 0.05 0.0', "1.0e+01 0.1 0e+00"],
  ]));

t.test("strings", (t) =>
  table(t, [
    [
      'printf "%s|%5s|%-5s|%.2s|%5.1s|%05s" "abc" "abc" "abc" "abc" "abc" "abc"',
      "abc|  abc|abc  |ab|    a|00abc",
    ],
    [
      'printf "%q|%#q|%+q|%x|%X|% x|%#x" "a\\"\\n" "ab" "é" "hi" "hi" "hi" "hi"',
      '"a\\"\\n"|`ab`|"\\u00e9"|6869|6869|68 69|0x6869',
    ],
    ['printf "%5s|%-6s|%.3s" "hé" "hé" .name', "   hé|hé    |hél"],
    ['printf "%v|%T|%#v" "x" "x" "x"', 'x|string|"x"'],
  ]));

t.test("other operands", (t) =>
  table(t, [
    ['printf "%t|%v|%6t|%T" true false true true', "true|false|  true|bool"],
    [
      'printf "%v|%s|%T" (fromJson .json).m (fromJson `["a","b"]`) (fromJson `[1]`)',
      "map[y:2 z:1]|[a b]|[]interface {}",
    ],
    [
      'printf "%q|%5.1f|%d" (fromJson `["a","b"]`) (fromJson `[1,2]`) (fromJson `["x"]`)',
      '["a" "b"]|[  1.0   2.0]|[%!d(string=x)]',
    ],
    ['printf "%v|%s" nil nil', "<nil>|%!s(<nil>)"],
    ['printf "%s" __timestamp__', "2024-03-05 06:07:08.012345678 +0000 UTC"],
  ]));

t.test("operands by number, widths from operands, and what does not fit", (t) =>
  table(t, [
    ['printf "%[2]d %[1]d" 11 22', "22 11"],
    ['printf "%[3]*.[2]*[1]f" 12.0 2 6', " 12.00"],
    ['printf "%*d|%-*d|%.*f" 5 42 4 7 1 2.55', "   42|7   |2.5"],
    ['printf "%d %d %#[1]x %#x" 16 17', "16 17 0x10 0x11"],
    ['printf "100%%"', "100%"],
    ['printf "%d" "hi"', "%!d(string=hi)"],
    ['printf "%s" 5', "%!s(int=5)"],
    ['printf "%z" 5', "%!z(int=5)"],
    ['printf "%d"', "%!d(MISSING)"],
    ['printf "%d" 1 "x" 2.5', "1%!(EXTRA string=x, float64=2.5)"],
    ['printf "x%"', "x%!(NOVERB)"],
    ['printf "%[5]d" 1', "%!d(BADINDEX)"],
    ['printf "%*d" "x" 3', "%!(BADWIDTH)3"],
    ['printf "%.*d" "x" 3', "%!(BADPREC)3"],
  ]));
