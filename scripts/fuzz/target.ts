/** What is fuzzed (native/fuzz), and which part of the time each gets. */
export const TARGETS = [
  { name: 'judge', weight: 3, what: 'one frame: policy, circumstances and bytes from the input' },
  { name: 'sequence', weight: 3, what: 'frames of one VM with what is remembered between them' },
  { name: 'policy', weight: 2, what: 'any 128 bytes as a policy, and frames made for it' },
  { name: 'parse', weight: 1, what: 'a frame, layer by layer' },
] as const;

export type TargetName = (typeof TARGETS)[number]['name'];

/** One run of one target on one core. */
export interface Slice {
  readonly target: TargetName;
  readonly seconds: number;
}

/**
 * What each core does, one slice after the other, within `seconds`: all targets, each core beginning with another, so that
 * those that run at a time find different things. They share what they found.
 */
export function lanesOf(targets: readonly TargetName[], seconds: number, cores: number): Slice[][] {
  const chosen = TARGETS.filter(({ name }) => targets.includes(name));
  const whole = chosen.reduce((sum, { weight }) => sum + weight, 0);
  const slices = chosen.map(({ name, weight }) => ({
    target: name,
    seconds: Math.max(1, Math.floor((seconds * weight) / whole)),
  }));
  if (seconds === 0 || slices.length === 0) return [];
  return Array.from({ length: cores }, (_, lane) => {
    const first = lane % slices.length;
    return [...slices.slice(first), ...slices.slice(0, first)];
  });
}
