/** The read API besides queries: what there is, how much of it, what it looks like, and what a tenant may do. */
import { Layer } from "effect";
import type { Settings } from "../platform/config/mod.ts";
import { detectRoutes } from "./detectRoutes.ts";
import { formatRoute } from "./formatRoute.ts";
import { indexRoutes } from "./indexRoutes.ts";
import { legacyRoutes } from "./legacyRoutes.ts";
import { limitsRoutes } from "./limitsRoutes.ts";
import { patternsRoute } from "./patternsRoute.ts";

export const exploreRoutes = (settings: Settings) =>
  Layer.mergeAll(
    indexRoutes(settings),
    detectRoutes(settings),
    formatRoute(settings),
    limitsRoutes(settings),
    legacyRoutes(settings),
    patternsRoute(settings),
  );
