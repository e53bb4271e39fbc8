// What is on screen but in no link: theme, open panels, the pop-up note. Owns the stored preference of the theme.
// Invariant: closing the browser loses nothing here but which panels were open.
import { signal } from "@preact/signals-core";

export type Theme = "auto" | "light" | "dark";

const themeKey = "tailrace.theme";

export const theme = signal<Theme>(storedTheme());
export const helpOpen = signal(false);
export const explainOpen = signal(false);
export const rangeOpen = signal(false);
export const queriesOpen = signal(false);
/** The sidebar stands beside the rows where there is room, and above them where there is not. */
export const sidebarOpen = signal(matchMedia("(min-width: 900px)").matches);
/** What the loaded lines are searched for, to mark it; not part of the query. */
export const findText = signal("");
/** A short note that fades, such as "Copied". */
export const note = signal("");

/** Switches the theme: as the system says, light, dark. */
export function nextTheme(): void {
  theme.value = theme.peek() === "auto" ? "light" : theme.peek() === "light" ? "dark" : "auto";
  try {
    localStorage.setItem(themeKey, theme.peek());
  } catch {
    // Storage may be forbidden; the theme then holds until the page is left.
  }
  applyTheme();
}

/** Tells the style sheet which theme is wanted. */
export function applyTheme(): void {
  document.documentElement.dataset.theme = theme.peek();
}

/** Shows a short note for two seconds. */
export function say(text: string): void {
  note.value = text;
  clearTimeout(noteTimer);
  noteTimer = setTimeout(() => note.value = "", 2000);
}

/** Copies text, also where the browser hides its clipboard because the page came over plain HTTP. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) return say("The browser does not let this page copy");
  }
  say(`Copied ${what}`);
}

let noteTimer: ReturnType<typeof setTimeout> | undefined;

function storedTheme(): Theme {
  try {
    const stored = localStorage.getItem(themeKey);
    return stored === "light" || stored === "dark" ? stored : "auto";
  } catch {
    return "auto";
  }
}
