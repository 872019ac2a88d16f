import type { PolicyFields } from '../frames/policy-bytes.ts';
import type { Dice } from './dice.ts';
import { NOW } from './policy.ts';

const MS = 1_000_000n;

/** Time that goes on unevenly, stands still and now and then goes back, as far as it is read from another processor. */
export class GeneratedClock {
  #nowNs = NOW;

  /** When the next frame comes; sometimes just when the grace of its policy ends, if nothing else depends on time. */
  next(dice: Dice, { previous, ...fields }: PolicyFields): bigint {
    this.#nowNs += dice.pick([0n, 1n, 1000n, MS / 10n, MS, 3n * MS]);
    const untilNs = previous?.untilNs ?? 0n;
    const measures = [fields.egressBitsPerSecond, fields.packetsPerSecond, fields.violation?.threshold];
    const measured = measures.some((measure) => (measure ?? 0) > 0);
    if (untilNs > 1n && !measured && dice.chance(0.2)) return untilNs + dice.pick([-1n, 0n, 1n]);
    return this.#nowNs - dice.pick([0n, 0n, 0n, 0n, 0n, 1000n]);
  }
}
