/** The delivery of a dry run: it prints, has nothing to deliver and keeps nothing. Positions are neither read nor
 *  saved, so that a dry run changes nothing. */
import { Effect, Layer } from "effect";
import type { EntryPrinter } from "../dryRun.ts";
import { Delivery } from "./Delivery.ts";

/** Prints what has come every 100 ms. */
export const dryDeliveryLayer = (printer: EntryPrinter): Layer.Layer<Delivery> =>
  Layer.effect(
    Delivery,
    Effect.gen(function* () {
      const flush = Effect.promise(() => printer.flush());
      yield* Effect.addFinalizer(() => flush);
      yield* Effect.forkScoped(flush.pipe(Effect.delay(100), Effect.forever));
      return Delivery.of({
        positions: [],
        submit: () => {},
        room: () => printer.room(),
        hasRoom: () => printer.hasRoom,
        durable: () => printer.flush(),
        delivered: () => printer.flush(),
      });
    }),
  );
