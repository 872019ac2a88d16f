import { reasonName } from '../../../src/filter/drop-reason.ts';
import type { Scenario } from '../frames-generator/scenario.ts';
import type { Engine, Judged, Run } from './engine.ts';

/** A frame of which engines say different things. */
export interface Difference {
  /** Of the sequence's steps. */
  readonly index: number;
  readonly said: readonly { readonly engine: string; readonly judged: Judged }[];
}

/** Called for every frame of which all say the same. */
export type OnAgreed = (step: Scenario, judged: Judged) => void;

/**
 * The steps through all engines, each with nothing remembered before the first. Ends at the first difference. An engine
 * that draws by nonces of its own comes first: the others are given the same.
 */
export function compare(
  engines: readonly Engine[],
  steps: readonly Scenario[],
  onAgreed: OnAgreed = () => {},
): Difference | null {
  const policies = [...new Set(steps.map(({ policy }) => policy))];
  const runs: { name: string; run: Run }[] = [];
  try {
    for (const engine of engines) runs.push({ name: engine.name, run: engine.begin(policies) });
    for (const [index, given] of steps.entries()) {
      let step = given;
      const said = runs.map(({ name, run }) => {
        const judged = run.judge(step);
        if (judged.nonce !== undefined)
          step = { ...step, circumstances: { ...step.circumstances, nonce: judged.nonce } };
        return { engine: name, judged };
      });
      const first = said[0]?.judged;
      if (first === undefined) return null;
      if (said.some(({ judged }) => !agree(first, judged))) return { index, said };
      onAgreed(step, first);
    }
    return null;
  } finally {
    for (const { run } of runs) run.end();
  }
}

function agree(a: Judged, b: Judged): boolean {
  if (a.reason !== b.reason || a.audited !== b.audited) return false;
  if (a.crossed !== undefined && b.crossed !== undefined && a.crossed !== b.crossed) return false;
  if (a.action === undefined || b.action === undefined) return true;
  return a.action === b.action && sameBytes(a.answer, b.answer);
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

/** One line: which engine says what. */
export function toldDifference({ said }: Difference): string {
  return said
    .map(({ engine, judged: { reason, audited, crossed, action } }) =>
      [
        engine,
        reasonName(reason),
        ...(audited ? ['audited'] : []),
        ...(crossed === true ? ['threshold'] : []),
        ...(action === undefined ? [] : [action]),
      ].join(' '),
    )
    .join('; ');
}
