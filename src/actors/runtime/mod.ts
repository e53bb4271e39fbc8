/** The front door of the actor runtime; the rest of the folder is private to it. */
export * from "./Actor.ts";
export { ActorSystem, type ActorSystemOptions } from "./ActorSystem.ts";
export { type KindMetrics, metricsText } from "./metrics.ts";
export type { ActorSnapshot } from "./node.ts";
export { defaultSupervision } from "./restarts.ts";
