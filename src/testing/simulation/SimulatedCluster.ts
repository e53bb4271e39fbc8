/** Tailrace's processes in a simulated world: the production code of distributors' log, ingesters, queriers and compactors on
 *  simulated NATS servers. Owns starting them, and what a test may ask of them; what is asked when is the scenario's business.
 *  Instead of threads, chunks are built and merged in the process's turn; the copy of the index is in memory and lost with its
 *  process. */
import { Retention } from "../../actors/policy/retention.ts";
import { jetstreamManager } from "@nats-io/jetstream";
import { Context, Effect, Exit, Layer, Logger, Scope } from "effect";
import { Compactor } from "../../actors/compactor/Compactor.ts";
import { clusterTurns } from "../../actors/compactor/compactorTurns.ts";
import { clusterIngesterLayer } from "../../actors/ingester/clusterIngester.ts";
import { Ingester } from "../../actors/ingester/Ingester.ts";
import { PartitionOwners } from "../../actors/ingester/PartitionOwners.ts";
import type { BuildJob } from "../../actors/protocol/build.ts";
import type { MergeJob } from "../../actors/protocol/merge.ts";
import type { HeadRoom } from "../../actors/querier/HeadRoom.ts";
import { makeStreamFinder, type StreamRequest } from "../../actors/querier/streamFinder.ts";
import { ActorSystem } from "../../actors/runtime/mod.ts";
import { Scanners } from "../../actors/Scanners.ts";
import { build } from "../../actors/worker/buildJob.ts";
import { merge } from "../../actors/worker/mergeJob.ts";
import { Workers } from "../../actors/Workers.ts";
import { LinkHealth } from "../../cluster/LinkHealth.ts";
import { MicroService } from "../../cluster/microService.ts";
import { Nats, requestTimeoutMs } from "../../cluster/Nats.ts";
import { type Settings, settingsWith } from "../../platform/config/mod.ts";
import type { WorkerPool } from "../../platform/workerPool.ts";
import type { IndexCopy } from "../../storage/jetstream/IndexCopy.ts";
import { jetStreamIndexLayer } from "../../storage/jetstream/JetStreamIndex.ts";
import { jetStreamObjectStoreLayer } from "../../storage/jetstream/JetStreamObjectStore.ts";
import { jetStreamWriteLogLayer } from "../../storage/jetstream/JetStreamWriteLog.ts";
import { Index } from "../../storage/Index.ts";
import { ObjectStore } from "../../storage/ObjectStore.ts";
import { sweepOrphans } from "../../storage/sweepOrphans.ts";
import { WriteLog } from "../../storage/WriteLog.ts";
import { memoryIndex } from "../memoryStorage.ts";
import { rowsOfUnits } from "./readUnits.ts";
import type { Direction } from "./SimulatedConnection.ts";
import type { SimulatedNetwork } from "./SimulatedNetwork.ts";
import type { Process, SimulatedWorld } from "./SimulatedWorld.ts";

export type SimulatedRole = "distributor" | "ingester" | "querier" | "compactor";

/** What a process does when it is asked, in its own turn. */
export interface Duties {
  readonly append: (partition: number, record: Uint8Array) => Promise<number>;
  /** Lines, in no order. */
  readonly query: (request: StreamRequest, room?: HeadRoom) => Promise<ReadonlyArray<string>>;
  /** Label strings of streams. */
  readonly streams: (request: StreamRequest) => Promise<ReadonlyArray<string>>;
  readonly flush: () => Promise<void>;
  /** Removes objects that no commit names, without waiting for those who may be about to commit or read them. */
  readonly sweep: () => Promise<unknown>;
  readonly owned: () => ReadonlyArray<number>;
}

export class SimulatedMember {
  readonly name: string;
  readonly role: SimulatedRole;
  readonly #network: SimulatedNetwork;
  /** What the next start is told. */
  settings: Settings;
  #process: Process;
  #starts = 0;
  #duties: Duties | undefined;
  #stop: () => void = () => {};

  constructor(network: SimulatedNetwork, role: SimulatedRole, name: string, settings: Settings) {
    this.name = name;
    this.role = role;
    this.#network = network;
    this.settings = settings;
    this.#process = network.world.process(name);
    this.#process.isDead = true;
  }

  get isDead(): boolean {
    return this.#process.isDead;
  }

  get isReady(): boolean {
    return !this.#process.isDead && this.#duties !== undefined;
  }

  get world(): SimulatedWorld {
    return this.#network.world;
  }

  start(): void {
    const process = this.#process = this.world.process(`${this.name}.${++this.#starts}`);
    this.#duties = undefined;
    this.world.later(process, 1, () => {
      const scope = Scope.makeUnsafe();
      const { settings } = this;
      const layers = layersOf(this.role, settings, this.#network, process);
      const launch = Layer.build(layers).pipe(
        Effect.tap((context) => Effect.sync(() => this.#duties = dutiesOf(context, settings))),
        Effect.provideService(Scope.Scope, scope),
        Effect.catchCause(() => Effect.sync(() => this.#startAgain(process))),
      );
      Effect.runFork(launch);
      this.#stop = () => Effect.runFork(Scope.close(scope, Exit.void));
    });
  }

  /** A process that ends is started again by whoever watches over it. */
  #startAgain(process: Process): void {
    this.world.later(this.#network.nature, 500, () => {
      if (this.#process !== process || process.isDead) return;
      this.world.kill(process);
      this.start();
    });
  }

  /** kill -9. */
  kill(): void {
    this.world.kill(this.#process);
    this.#duties = undefined;
  }

  freeze(): void {
    this.world.freeze(this.#process);
  }

  thaw(): void {
    this.world.thaw(this.#process);
  }

  /** Its way to the servers is cut: what it sends does not arrive, or it hears nothing, or both. */
  cutOff(directions: ReadonlyArray<Direction>): void {
    this.#network.cut(this.#process, directions);
  }

  mend(): void {
    this.#network.mend(this.#process);
  }

  /** SIGTERM: it flushes and gives up what it owns. */
  stop(): void {
    const process = this.#process;
    this.#duties = undefined;
    this.world.later(process, 0, () => this.#stop());
    this.world.later(process, 8000, () => {
      if (this.#process === process) this.world.kill(process);
    });
  }

  /** Asks it from outside; the answer comes, if it does, in a turn of `asker`. */
  ask<Result>(
    asker: Process,
    work: (duties: Duties) => Promise<Result>,
    answer: (result: Result | undefined) => void,
  ): void {
    const duties = this.#duties;
    const { world } = this;
    const process = this.#process;
    if (duties === undefined) return void world.later(asker, 5, () => answer(undefined));
    const back = (result: Result | undefined) => {
      world.later(asker, this.#network.delayMs(), () => answer(result));
    };
    world.later(process, this.#network.delayMs(), () => {
      work(duties).then(back, () => back(undefined));
    });
  }
}

const quickly = {
  "ingester.segment_target_bytes": "2KB",
  "ingester.max_segment_age": "2s",
  "nats.object_shards": 1,
  "nats.log_max_bytes": "1MB",
  "compactor.compaction_interval": "300ms",
  "compactor.merge_min_segments": 2,
};

/** Settings with which everything happens within seconds. */
export const simulatedSettings = settingsWith({ ...quickly, "ingester.partitions": 1 });
export const settingsOfTwo = settingsWith({ ...quickly, "ingester.partitions": 2 });

function layersOf(
  role: SimulatedRole,
  settings: Settings,
  network: SimulatedNetwork,
  process: Process,
) {
  const nats = simulatedNats(network, process);
  const writeLog = jetStreamWriteLogLayer({
    partitionBytesMax: settings.nats.log_max_bytes,
    createsLogs: role === "ingester",
  });
  const ports = Layer.mergeAll(
    writeLog,
    role === "distributor" ? noObjects : jetStreamObjectStoreLayer({ shards: 1 }),
    role === "distributor" ? memoryIndex() : jetStreamIndexLayer({ copyOf: memoryCopy }),
  );
  const owners = Layer.unwrap(Effect.gen(function* () {
    const service = new MicroService(yield* Nats, "tailrace-ingester", process.name);
    return PartitionOwners.layer(settings, service);
  }));
  const partitions = clusterIngesterLayer(settings);
  const work = {
    distributor: Ingester.none,
    ingester: partitions.pipe(Layer.provide(owners)),
    querier: partitions,
    compactor: Layer.merge(Ingester.none, compactorOf(settings)),
  };
  return work[role].pipe(
    Layer.provideMerge(Layer.mergeAll(ActorSystem.layer({ drainMs: 5000 }), workersInTurn)),
    Layer.provideMerge(ports),
    Layer.provideMerge(nats),
    Layer.provideMerge(Logger.layer([])),
  );
}

/** The connection of a process. */
export function simulatedNats(network: SimulatedNetwork, process: Process) {
  return Layer.effect(
    Nats,
    Effect.gen(function* () {
      const connecting = network.connect(process);
      const connection = connecting.asNatsConnection;
      const manager = yield* Effect.promise(() =>
        jetstreamManager(connection, { checkAPI: false, timeout: requestTimeoutMs })
      );
      return {
        connection,
        manager,
        health: new LinkHealth(connection),
        inbox: () => connecting.newInbox(),
        replicas: 3,
        messageBytesMax: 1024 * 1024,
      };
    }),
  );
}

/** A distributor has none. */
const noObjects = Layer.succeed(ObjectStore, undefined as unknown as ObjectStore["Service"]);

const workersInTurn = Layer.succeed(
  Workers,
  {
    run: async (_kind: string, job: BuildJob) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      return build(job, { cancelled: () => false, transfer: [], sharedBytes: 0 });
    },
  } as unknown as WorkerPool,
);

function compactorOf(settings: Settings) {
  return Compactor.layer(settings, 2).pipe(
    Layer.provide(clusterTurns(settings)),
    Layer.provide(mergesInTurn),
  );
}

/** What a job reads is fetched first, as by Scanners.cached. */
const mergesInTurn = Layer.effect(
  Scanners,
  Effect.map(ObjectStore, (objectStore) => {
    const run = async (_kind: string, job: MergeJob) => {
      const chunks = new Map<string, Uint8Array>();
      for (const { chunk: { key, offset, length } } of job.units.flatMap((unit) => unit.sources)) {
        const bytes = await Effect.runPromise(objectStore.getRange(key, offset, length));
        chunks.set(`${key} ${offset}`, bytes);
      }
      const getRange = (key: string, offset: number) => chunks.get(`${key} ${offset}`)!;
      const context = { cancelled: () => false, transfer: [], sharedBytes: 0 };
      return merge(job, { getRange, close: () => {} }, context);
    };
    return { threadCount: 1, run } as unknown as Scanners["Service"];
  }),
);

function memoryCopy(): IndexCopy {
  return {
    open: async () => {
      const context = await Effect.runPromise(Effect.scoped(Layer.build(memoryIndex())));
      return { local: Context.get(context, Index), seen: 0 };
    },
    savePosition: () => Promise.resolve(),
    close: () => Promise.resolve(),
    remove: () => Promise.resolve(),
  };
}

function dutiesOf(
  context: Context.Context<WriteLog | Index | ObjectStore | Ingester>,
  settings: Settings,
): Duties {
  const writeLog = Context.get(context, WriteLog);
  const index = Context.get(context, Index);
  const ingester = Context.get(context, Ingester);
  const objectStore = Context.get(context, ObjectStore);
  const finder = makeStreamFinder({
    settings,
    index,
    ingester,
    retention: new Retention(settings),
  });
  return {
    append: (partition, record) => Effect.runPromise(writeLog.append(partition, record)),
    query: async (request, room) => {
      const found = finder.units(request, "forward", room === undefined ? {} : { room });
      const { units } = await Effect.runPromise(found);
      return await rowsOfUnits(objectStore, units);
    },
    streams: (request) => Effect.runPromise(finder.streams(request)),
    flush: () => Effect.runPromise(ingester.flush),
    sweep: () => Effect.runPromise(sweepOrphans(objectStore, index)),
    owned: () => [...ingester.owned().keys()],
  };
}
