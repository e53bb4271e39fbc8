/** The read API besides queries: what there is, how much of it, and what it looks like. */
import { Layer } from "effect";
import type { Settings } from "../platform/config/mod.ts";
import { detectRoutes } from "./detectRoutes.ts";
import { indexRoutes } from "./indexRoutes.ts";

export const exploreRoutes = (settings: Settings) =>
  Layer.mergeAll(indexRoutes(settings), detectRoutes(settings));
