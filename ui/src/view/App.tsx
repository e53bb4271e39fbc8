// The page's layout: bars above, labels at the left, what was found in the middle, an entry's details at the right.
import { address } from "../state/address.ts";
import { failure, groups, loading, opened, series, shown, version } from "../state/explore.ts";
import { note, sidebarOpen } from "../state/screen.ts";
import { EmptyAnswer, FailedFirst, Skeleton, StartScreen } from "./EmptyStates.tsx";
import { EntryDrawer } from "./EntryDrawer.tsx";
import { HelpDialog } from "./HelpDialog.tsx";
import { Histogram } from "./Histogram.tsx";
import { LabelSidebar } from "./LabelSidebar.tsx";
import { LogList } from "./LogList.tsx";
import { QueryBar } from "./QueryBar.tsx";
import { MetricsView } from "./MetricsView.tsx";
import { StatusStrip } from "./StatusStrip.tsx";
import { TopBar } from "./TopBar.tsx";

export function App() {
  const entry = opened.value;
  return (
    <div class={`page ${sidebarOpen.value ? "with-sidebar" : ""} ${entry ? "with-drawer" : ""}`}>
      <TopBar />
      <QueryBar />
      {sidebarOpen.value && <LabelSidebar />}
      <main class="results" aria-label="Results" aria-busy={loading.value}>
        <StatusStrip />
        <Results />
      </main>
      {entry !== undefined && <EntryDrawer entry={entry} />}
      <HelpDialog />
      <div class={`note ${note.value === "" ? "" : "visible"}`} role="status">{note.value}</div>
    </div>
  );
}

function Results() {
  version.value;
  const { query, live, histogram } = address.value;
  if (query.trim() === "") return <StartScreen />;
  if (shown.value === undefined) {
    return failure.value === undefined ? <Skeleton /> : <FailedFirst />;
  }
  if (series.value !== undefined) return <MetricsView computed={series.value} />;
  if (groups.value.size === 0 && !live && !loading.value) return <EmptyAnswer />;
  return (
    <>
      {histogram && !live && <Histogram />}
      <LogList />
    </>
  );
}
