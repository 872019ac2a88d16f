import { availableParallelism } from 'node:os';
import { TARGETS, type TargetName } from './target.ts';

export interface Settings {
  /** How long the fuzzers run; what follows comes on top. */
  readonly seconds: number;
  /** Generated frames through the three engines; 0: none. */
  readonly frames: number;
  /** 1 to 2^31: of the fuzzers and of the generated frames. */
  readonly seed: number;
  readonly targets: readonly TargetName[];
  readonly cores: number;
}

const MANY_SECONDS = 600;
const MANY_FRAMES = 10_000_000;
const FEW_FRAMES = 100_000;
const MOST_SECONDS = 7 * 24 * 3600;
const MOST_FRAMES = 1_000_000_000;
const MOST_CORES = 16;
const SEEDS = 2 ** 31;

/** A setting that makes no sense; the message says which and what would. */
export class SettingsError extends Error {}

/** @param environment FUZZ_SECONDS, FUZZ_FRAMES and FUZZ_SEED, as `make fuzz FUZZ_SECONDS=600` gives them */
export function readSettings(
  names: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  random: () => number = Math.random,
): Settings {
  const seconds = wholeNumber('FUZZ_SECONDS', environment, 0, MOST_SECONDS) ?? 60;
  const usual = seconds >= MANY_SECONDS ? MANY_FRAMES : FEW_FRAMES;
  return {
    seconds,
    frames: wholeNumber('FUZZ_FRAMES', environment, 0, MOST_FRAMES) ?? usual,
    seed: wholeNumber('FUZZ_SEED', environment, 1, SEEDS) ?? 1 + Math.floor(random() * SEEDS),
    targets: names.length === 0 ? TARGETS.map(({ name }) => name) : names.map(targetNamed),
    cores: Math.min(availableParallelism(), MOST_CORES),
  };
}

function wholeNumber(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
  least: number,
  most: number,
): number | undefined {
  const text = environment[name];
  if (text === undefined || text === '') return undefined;
  const number = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (number >= least && number <= most) return number;
  throw new SettingsError(`${name} is "${text}": give a whole number from ${least} to ${most}`);
}

function targetNamed(name: string): TargetName {
  const known = TARGETS.find((target) => target.name === name);
  if (known !== undefined) return known.name;
  throw new SettingsError(`no target ${name}: there are ${TARGETS.map((target) => target.name).join(', ')}`);
}
