// The page's few drawings, as inline SVG so that they take the colour of their text.

const paths = {
  play: "M5 3.5v9l7-4.5z",
  pause: "M5 3.5v9M11 3.5v9",
  stop: "M4.5 4.5h7v7h-7z",
  close: "M4 4l8 8M12 4l-8 8",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  clock: "M8 4.5V8l2.5 1.5M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0",
  refresh: "M13 8a5 5 0 1 1-1.5-3.6M13 2v3h-3",
  down: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  left: "M10 4L6 8l4 4",
  history: "M3 8a5 5 0 1 1 1.600 3.700M3 4.500V8h3.500M8 5.500V8l2 1.500",
  format: "M2.500 4h11M5.500 8h8M5.500 12h5",
  explain: "M3 3h4v4H3zM9 9h4v4H9zM7 5h4v4",
  split: "M2.500 3h4v10h-4zM9.500 3h4v10h-4z",
  column: "M3 3h10v10H3zM8 3v10",
  download: "M8 2.500v7M5 7l3 3 3-3M3 13h10",
  up: "M4 10l4-4 4 4",
  bars: "M3 13V9M6.500 13V5M10 13V7M13.500 13V3",
  help: "M6 6a2 2 0 1 1 2.6 1.9c-.4.2-.6.5-.6 1V9.5M8 12v.3",
  more: "M3 8h.1M8 8h.1M13 8h.1",
  theme: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0M8 2a6 6 0 0 1 0 12z",
  labels: "M2.5 3h5l6 6-4.5 4.5-6.5-6zM5.5 6h.1",
  link:
    "M6.5 9.5l3-3M7 4.5l1.5-1.5a2.800 2.800 0 0 1 4 4L11 8.5M9 11.5L7.5 13a2.800 2.800 0 0 1-4-4L5 7.5",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}

export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
      <rect width="24" height="24" rx="6" />
      <path d="M4 8c3-3 5 3 8 0s5-3 8 0M4 13c3-3 5 3 8 0s5-3 8 0M4 18c3-3 5 3 8 0" />
    </svg>
  );
}
