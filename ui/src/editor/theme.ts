// The editor's looks, in the page's variables, so that a change of theme reaches it by itself.
import { EditorView } from "@codemirror/view";

export const theme = EditorView.theme({
  "&": { fontSize: "13px", maxHeight: "220px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px", overflow: "auto" },
  ".cm-content": { padding: "4px 0", caretColor: "var(--text)", minHeight: "28px" },
  ".cm-line": { padding: "0 10px" },
  ".cm-placeholder": { color: "var(--text-soft)" },
  ".tok-string, .tok-unclosed": { color: "var(--code-string)" },
  ".tok-comment": { color: "var(--text-soft)", fontStyle: "italic" },
  ".tok-number": { color: "var(--code-number)" },
  ".tok-function": { color: "var(--code-function)" },
  ".tok-keyword": { color: "var(--code-keyword)", fontWeight: "550" },
  ".tok-name": { color: "var(--code-name)" },
  ".tok-operator, .tok-bracket": { color: "var(--text-soft)" },
  ".tok-wrong": { textDecoration: "underline wavy var(--error) 1px", textUnderlineOffset: "4px" },
  ".cm-tooltip": {
    border: "1px solid var(--line)",
    borderRadius: "8px",
    background: "var(--raised)",
    color: "var(--text)",
    boxShadow: "var(--shadow)",
    overflow: "hidden",
    zIndex: "40",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "260px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "2px 10px", lineHeight: "20px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": {
    background: "var(--chosen)",
    color: "var(--accent)",
  },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-completionDetail": {
    marginLeft: "14px",
    color: "var(--text-soft)",
    fontStyle: "normal",
    fontFamily: "system-ui, sans-serif",
    fontSize: "12px",
  },
});
