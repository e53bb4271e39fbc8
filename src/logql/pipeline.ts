/** Executes a log pipeline over stored rows, in two halves: filters that work on whole blocks, and
 *  stages that work on one row at a time, in the one Row that the pipeline owns. pipelinePlan.ts
 *  describes pipelines as plain data; stages/ has the stages.
 *
 *      const pipeline = compilePipeline(description, checkpoint);
 *      const stream = pipeline.forStream(labels);        // "none": no row of it passes
 *      select({ filters: stream.filters, ... }, (block, mask) => {
 *        stream.begin(block, mask);
 *        for (each masked row) if (stream.run(row)) take(pipeline.row, pipeline.value);
 *      });
 *
 *  Invariant: the rows that pass both halves, and what `row` then holds, are those of the stages as
 *  written, as far as the description says that anybody needs to know. Use one pipeline in one
 *  thread, and not within its own callbacks. */
import type { Labels } from "../streams/labels.ts";
import type { BlockFilter, LineBlock } from "../streams/lineBlock.ts";
import { compilePredicate, type LabelTest } from "./labelFilter.ts";
import { compileLineFilters } from "./lineFilter.ts";
import { NameTable } from "./nameTable.ts";
import { changesLine, isIdle, neededAfter, type PipelineDescription } from "./pipelinePlan.ts";
import type { Stage } from "./ast.ts";
import { Row, StreamBase, type TimeColumn } from "./row.ts";
import { SetFilter } from "./setFilter.ts";
import { compileStage } from "./stages/mod.ts";
import type { RowStage } from "./stages/stage.ts";
import { Unwrapper } from "./unwrap.ts";

export interface Pipeline {
  /** What `run` left of the row it was called for. */
  readonly row: Row;
  /** The slot of the unwrapped label; null if the pipeline does not unwrap. */
  readonly unwrapSlot: number | null;
  /** The unwrapped number of the row that passed last; 0 without unwrap. */
  readonly value: number;
  /** What the pipeline does to rows of a stream; "none" if its labels alone drop them all. Parsed
   *  once, used for all blocks of the stream. */
  forStream(labels: Labels): StreamPipeline | "none";
}

export interface StreamPipeline {
  /** To apply to whole blocks, in order, before `run`. */
  readonly filters: ReadonlyArray<BlockFilter>;
  /** Whether every row that passes the filters passes, with the line and the labels it was stored
   *  with. `run` then only loads the row. */
  readonly isPlain: boolean;
  /** Whether the labels of a row that passes depend on its stream and its metadata set alone. */
  readonly labelsAreStored: boolean;
  /** Must be called before the first `run` on a block. `mask`, a byte for each of its rows, has a 0
   *  for those that `run` will not be called for; it must not change until the last `run`. */
  begin(block: LineBlock, mask: Uint8Array): void;
  /** Runs the stages on a row of the block; false if they drop it. */
  run(rowIndex: number): boolean;
  /** The same for a row that lies elsewhere: its line, its metadata set, and its timestamp. The
   *  buffer `meta` must not be written anew between calls without a `begin` or `reload`. */
  runAt(
    line: Uint8Array,
    lineStart: number,
    lineEnd: number,
    meta: Uint8Array,
    metaStart: number,
    metaEnd: number,
    times: TimeColumn,
    timeIndex: number,
  ): boolean;
  /** Forgets what is known of metadata buffers. */
  reload(): void;
}

/** Compiles a description. `checkpoint` is called now and then within long work, and may throw to
 *  end it. Throws RegexInvalid, TemplateSyntaxError or a RangeError for what the parser would have
 *  refused. */
export function compilePipeline(
  description: PipelineDescription,
  checkpoint: () => void = () => {},
): Pipeline {
  return new CompiledPipeline(description, checkpoint);
}

class CompiledPipeline implements Pipeline {
  readonly row: Row;
  readonly leading: LabelTest[] = [];
  readonly stages: RowStage[] = [];
  /** Those of the stages that may look at a whole block before its rows come one by one. */
  readonly beginning: RowStage[] = [];
  readonly unwrapper: Unwrapper | null;
  readonly lineFilters: ReadonlyArray<BlockFilter>;
  readonly checkpoint: () => void;
  readonly changesLabels: boolean;
  /** Tells which rows pass, extracting only what filters look at; null where that saves nothing. */
  readonly decider: CompiledPipeline | null;

  constructor(description: PipelineDescription, checkpoint: () => void) {
    this.checkpoint = checkpoint;
    const { after, stored } = neededAfter(description);
    const needed = [stored, ...after];
    const isOpen = needed.some(({ labels }) => labels === "all");
    const names = new NameTable(isOpen);
    for (const { labels } of needed) {
      if (labels !== "all") { for (const name of labels) requireName(names, name); }
    }
    let isLeading = true;
    let changesLabels = false;
    let lineIsStored = true;
    description.stages.forEach((stage, index) => {
      if (isIdle(stage, after[index]!)) return;
      if (isLeading && stage.kind === "LabelFilter") {
        this.leading.push(compilePredicate(stage.predicate, names));
        return;
      }
      isLeading = false;
      changesLabels ||= stage.kind !== "LineFilter" && stage.kind !== "Decolorize";
      const compiled = compileStage(stage, after[index]!, names, checkpoint);
      this.stages.push(compiled);
      if (lineIsStored && compiled.begin !== undefined) this.beginning.push(compiled);
      lineIsStored &&= !changesLine.has(stage.kind);
    });
    this.changesLabels = changesLabels;
    this.unwrapper = description.unwrap === null ? null : new Unwrapper(description.unwrap, names);
    this.lineFilters = compileLineFilters(description.filters, checkpoint);
    this.row = new Row(names);
    this.decider = isOpen ? deciderOf(description, checkpoint) : null;
  }

  get unwrapSlot(): number | null {
    return this.unwrapper?.slot ?? null;
  }

  get value(): number {
    return this.unwrapper?.value ?? 0;
  }

  forStream(labels: Labels): CompiledStream | "none" {
    const known = new Map(labels);
    const open: LabelTest[] = [];
    for (const test of this.leading) {
      const verdict = test.decide(known);
      if (verdict === false) return "none";
      if (verdict === null) open.push(test);
    }
    const decider = this.decider?.forStream(labels) ?? null;
    return decider === "none"
      ? "none"
      : new CompiledStream(this, new StreamBase(labels), open, decider);
  }
}

/** A pipeline that lets the same rows through and leaves nothing in them. A parser may stop in it
 *  as soon as it has what the filters ask for. */
function deciderOf(
  description: PipelineDescription,
  checkpoint: () => void,
): CompiledPipeline | null {
  const { stages, needed } = description;
  const parser = stages.findIndex(({ kind }) => parserKinds.has(kind));
  const filter = stages.findLastIndex(({ kind }) =>
    kind === "LabelFilter" || kind === "LineFilter"
  );
  if (needed.labels !== "all" || parser < 0 || filter < parser) return null;
  const decisive = {
    ...description,
    filters: [],
    needed: { ...needed, labels: [], line: false },
  };
  const decider = new CompiledPipeline(decisive, checkpoint);
  return decider.row.names.isOpen ? null : decider;
}

const parserKinds: ReadonlySet<Stage["kind"]> = new Set<Stage["kind"]>([
  "JsonParser",
  "LogfmtParser",
  "PatternParser",
  "RegexpParser",
]);

/** Interns a name, and the one that it is made of when it collides. */
function requireName(names: NameTable, name: string): void {
  names.require(name);
  if (name.endsWith("_extracted")) names.require(name.slice(0, -"_extracted".length));
}

const judgedRows = 256;

class CompiledStream implements StreamPipeline {
  readonly filters: ReadonlyArray<BlockFilter>;
  readonly isPlain: boolean;
  readonly labelsAreStored: boolean;
  readonly #row: Row;
  readonly #base: StreamBase;
  readonly #stages: ReadonlyArray<RowStage>;
  readonly #beginning: ReadonlyArray<RowStage>;
  #block: LineBlock | null = null;
  /** Asked first, as long as it drops most rows. */
  #decider: CompiledStream | null;
  #asked = 0;
  #passed = 0;

  constructor(
    pipeline: CompiledPipeline,
    base: StreamBase,
    open: ReadonlyArray<LabelTest>,
    decider: CompiledStream | null,
  ) {
    const { row, lineFilters, stages, unwrapper, checkpoint } = pipeline;
    this.#row = row;
    this.#beginning = pipeline.beginning;
    this.#base = base;
    this.#decider = decider;
    this.filters = open.length === 0
      ? lineFilters
      : [new SetFilter(open, row, base, checkpoint), ...lineFilters];
    // What set an error has to set it again, in the row that passes.
    const again = open.some(({ setsErrors }) => setsErrors) ? open : [];
    const last = unwrapper === null ? [] : [unwrapper];
    this.#stages = [...again, ...stages, ...last];
    this.isPlain = this.#stages.length === 0;
    this.labelsAreStored = !pipeline.changesLabels && !(unwrapper !== null);
  }

  begin(block: LineBlock, mask: Uint8Array): void {
    this.#block = block;
    this.#row.useStream(this.#base);
    this.#row.forgetMetadata();
    for (const stage of this.#beginning) stage.begin!(block, mask, this.#row);
    this.#decider?.begin(block, mask);
  }

  run(rowIndex: number): boolean {
    const decider = this.#decider;
    if (decider !== null && !this.#judge(decider.run(rowIndex))) return false;
    const block = this.#block!;
    const { lineEnds, metaIds, sets } = block;
    const set = metaIds[rowIndex]!;
    const row = this.#row;
    row.useStream(this.#base);
    row.load(
      block.lines,
      rowIndex === 0 ? 0 : lineEnds[rowIndex - 1]!,
      lineEnds[rowIndex]!,
      sets.meta,
      set <= 1 ? 0 : sets.setEnds[set - 2]!,
      set === 0 ? 0 : sets.setEnds[set - 1]!,
      block,
      rowIndex,
    );
    row.blockRow = rowIndex - block.rowStart;
    return this.#runStages(row);
  }

  runAt(
    line: Uint8Array,
    lineStart: number,
    lineEnd: number,
    meta: Uint8Array,
    metaStart: number,
    metaEnd: number,
    times: TimeColumn,
    timeIndex: number,
  ): boolean {
    const decider = this.#decider;
    if (
      decider !== null && !this.#judge(
        decider.runAt(line, lineStart, lineEnd, meta, metaStart, metaEnd, times, timeIndex),
      )
    ) return false;
    const row = this.#row;
    row.useStream(this.#base);
    row.load(line, lineStart, lineEnd, meta, metaStart, metaEnd, times, timeIndex);
    row.blockRow = -1;
    return this.#runStages(row);
  }

  reload(): void {
    this.#row.forgetMetadata();
    this.#decider?.reload();
  }

  #runStages(row: Row): boolean {
    const stages = this.#stages;
    for (let index = 0; index < stages.length; index++) {
      if (!stages[index]!.apply(row)) return false;
    }
    return true;
  }

  /** Where many rows pass, asking first is work done twice. */
  #judge(passes: boolean): boolean {
    this.#asked++;
    if (passes) this.#passed++;
    if (this.#asked < judgedRows) return passes;
    if (this.#passed * 4 > this.#asked) this.#decider = null;
    this.#asked = this.#passed = 0;
    return passes;
  }
}
