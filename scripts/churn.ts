/**
 * A host of a cluster at random for minutes: `node scripts/churn.ts [--minutes N] [--seed N] [--vms N]` (root). Exit code 1 when a
 * condition was not met, 2 when it could not be run.
 */
import { parseArgs } from 'node:util';
import { Churn } from '../test/support/churn/churn.ts';
import { breachesOf, disturbanceOf, renderResult } from '../test/support/churn/result.ts';

const say = (line: string): void => void process.stderr.write(`[churn] ${line}\n`);

try {
  const { values } = parseArgs({
    options: { minutes: { type: 'string' }, seed: { type: 'string' }, vms: { type: 'string' } },
  });
  const number = (name: keyof typeof values, otherwise: number): number => {
    const value = values[name] === undefined ? otherwise : Number(values[name]);
    if (!(value > 0)) throw new Error(`--${name}: give a number above 0, not '${String(values[name])}'`);
    return value;
  };
  const seconds = number('minutes', 15) * 60;
  const seed = number('seed', 1 + Math.floor(Math.random() * 2 ** 31));
  say(`seed ${String(seed)}, ${String(seconds)} s`);
  const result = await Churn.run({ seconds, seed, most: number('vms', 12), kills: true, progress: say });
  process.stdout.write(renderResult(result));
  const breaches = breachesOf(result, 'own');
  const disturbance = disturbanceOf(result);
  if (disturbance !== null) process.stdout.write(`NOTE ${disturbance}\n`);
  for (const breach of breaches) process.stdout.write(`BREACH ${breach}\n`);
  process.exitCode = breaches.length > 0 ? 1 : 0;
} catch (error) {
  process.stderr.write(`churn: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 2;
}
