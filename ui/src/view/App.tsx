// The page's layout: bars above, labels at the left, what was found in the middle, an entry's details at the right.
import { address } from "../state/address.ts";
import { failure, groups, loading, opened, series, shown, version } from "../state/explore.ts";
import { explainOpen, note, sidebarOpen } from "../state/screen.ts";
import { EmptyAnswer, FailedFirst, Skeleton, StartScreen } from "./EmptyStates.tsx";
import { EntryDrawer } from "./EntryDrawer.tsx";
import { HelpDialog } from "./HelpDialog.tsx";
import { Histogram } from "./Histogram.tsx";
import { LabelSidebar } from "./LabelSidebar.tsx";
import { LogList } from "./LogList.tsx";
import { QueryBar } from "./QueryBar.tsx";
import { later } from "./later.tsx";
import { SelectionBar } from "./SelectionBar.tsx";
import { StatusStrip } from "./StatusStrip.tsx";
import { TopBar } from "./TopBar.tsx";

/** Places that few visits need: their code comes when they are opened. */
const KubernetesView = later(
  () => import("./KubernetesView.tsx").then((m) => m.KubernetesView),
  "main",
);
const OperationsView = later(
  () => import("./OperationsView.tsx").then((m) => m.OperationsView),
  "main",
);
const PatternsView = later(() => import("./PatternsView.tsx").then((m) => m.PatternsView));
const SplitView = later(() => import("./SplitView.tsx").then((m) => m.SplitView));
const ExplainDialog = later(() => import("./ExplainDialog.tsx").then((m) => m.ExplainDialog));
const MetricsView = later(() => import("./MetricsView.tsx").then((m) => m.MetricsView));

export function App() {
  const entry = opened.value;
  const { page } = address.value;
  if (page !== "explore") {
    return (
      <div class="page">
        <TopBar />
        {page === "kubernetes" ? <KubernetesView /> : <OperationsView />}
        <HelpDialog />
        <div class={`note ${note.value === "" ? "" : "visible"}`} role="status">{note.value}</div>
      </div>
    );
  }
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
      <SelectionBar />
      {explainOpen.value && <ExplainDialog />}
      <HelpDialog />
      <div class={`note ${note.value === "" ? "" : "visible"}`} role="status">{note.value}</div>
    </div>
  );
}

function Results() {
  version.value;
  const { query, live, histogram, tab, split } = address.value;
  if (query.trim() === "") return <StartScreen />;
  if (shown.value === undefined) {
    return failure.value === undefined ? <Skeleton /> : <FailedFirst />;
  }
  if (series.value !== undefined) return <MetricsView computed={series.value} />;
  if (groups.value.size === 0 && !live && !loading.value) return <EmptyAnswer />;
  if (tab === "patterns" && !live) return <PatternsView />;
  return (
    <>
      {histogram && !live && <Histogram />}
      {split === "" ? <LogList /> : <SplitView />}
    </>
  );
}
