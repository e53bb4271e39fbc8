// Where the screen is narrow: what has buttons of its own where it is not. Buttons that unfold, rather than a menu, whose arrow
// keys nobody would look for.
import { useSignal } from "@preact/signals";
import { address } from "../state/address.ts";
import { draft } from "../state/explore.ts";
import { explainOpen, helpOpen, nextTheme, theme } from "../state/screen.ts";
import { Icon, type IconName } from "./icons.tsx";
import { useOutsideClose } from "./outside.ts";
import { formatQuery } from "./QueryEditor.tsx";

export function MoreMenu() {
  const isOpen = useSignal(false);
  const root = useOutsideClose<HTMLDivElement>(() => isOpen.value = false);
  const close = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !isOpen.value) return;
    event.preventDefault();
    isOpen.value = false;
    root.current?.querySelector("button")?.focus();
  };
  return (
    <div class="picker narrow-only" ref={root} onKeyDown={close}>
      <button
        type="button"
        class="button quiet"
        aria-expanded={isOpen.value}
        aria-label="More"
        onClick={() => isOpen.value = !isOpen.value}
      >
        <Icon name="more" />
      </button>
      {isOpen.value && <Choices close={() => isOpen.value = false} />}
    </div>
  );
}

function Choices({ close }: { close: () => void }) {
  const idle = draft.value.trim() === "";
  const choices: readonly (readonly [IconName, string, () => unknown])[] = [
    ...(address.value.page !== "explore" || idle ? [] : [
      ["format", "Format the query", () => formatQuery()],
      ["explain", "Explain the query", () => explainOpen.value = true],
    ] as const),
    ["help", "Help", () => helpOpen.value = true],
  ];
  return (
    <div class="panel menu">
      {choices.map(([icon, words, act]) => (
        <button
          key={words}
          type="button"
          onClick={() => {
            close();
            void act();
          }}
        >
          <Icon name={icon} /> {words}
        </button>
      ))}
      <button type="button" onClick={nextTheme}>
        <Icon name="theme" /> Theme: {theme.value}
      </button>
    </div>
  );
}
