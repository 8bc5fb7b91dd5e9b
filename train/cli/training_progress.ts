/**
 * Training on the terminal: a progress bar during an epoch, and a line after it.
 *
 * @module
 */
import { duration, percent } from "../../shared/format.ts";
import type { EpochSummary, TrainingListener } from "../learning/events.ts";
import { note } from "./command.ts";
import { clearProgress, showProgress } from "./progress.ts";

/** How often the loss is read for the progress bar: reading waits for the device. */
const INTERVAL_STEPS = 10;

/**
 * A listener that shows the progress on stderr.
 *
 * @param epochs of the whole run
 */
export function trainingProgress(epochs: number): TrainingListener {
  let epochsBefore = 0, startedMs = 0, epochStartedMs = 0;
  return {
    onStart({ epochsDone }): void {
      epochsBefore = epochsDone;
      startedMs = epochStartedMs = performance.now();
    },
    async onStep({ epoch, step, images, imagesPerEpoch, readLoss }): Promise<void> {
      if (step % INTERVAL_STEPS !== 0) return;
      const loss = await readLoss();
      const imagesPerSecond = images / (performance.now() - epochStartedMs) * 1000;
      const done = epoch - 1 - epochsBefore + images / imagesPerEpoch;
      const secondsLeft = (performance.now() - startedMs) / 1000 * (epochs - epochsBefore - done) / done;
      showProgress(
        `epoch ${epoch}/${epochs}`,
        images / imagesPerEpoch,
        `loss ${loss.toFixed(3)}  ${Math.round(imagesPerSecond)} images/s  ${duration(secondsLeft)} left`,
      );
    },
    onEpoch(summary): void {
      clearProgress();
      epochStartedMs = performance.now();
      note(epochLine(summary, epochs));
    },
  };
}

function epochLine({ epoch, trainLoss, validation, imagesPerSecond }: EpochSummary, epochs: number): string {
  return [
    `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`,
    `loss ${trainLoss.toFixed(4)}`,
    ...(validation
      ? [`validation ${percent(validation.accuracy, 2)}, loss ${validation.loss.toFixed(4)}`]
      : []),
    `${Math.round(imagesPerSecond)} images/s`,
  ].join("  ");
}
