import type { Attempt } from '../../../demo/scenario/attempt.ts';
import type { InboundAttempt } from '../../../demo/scenario/inbound.ts';

type Counts = Readonly<Record<string, number>>;

/**
 * The attempts of each group as one: side by side, for each waits in vain for its answer. Far ends and counters are asked once;
 * what is counted by each reason must be the sum, and nothing else.
 */
export function atOnce(tries: readonly Attempt[]): Attempt[] {
  const groups = [...new Set(tries.map(({ group }) => group))];
  return groups.map((group) => {
    const all = tries.filter((attempt) => attempt.group === group);
    return {
      group,
      title: `all ${String(all.length)} at once`,
      script: sideBySide(all.map(({ script }) => script)),
      drops: sum(all.map(({ drops }) => drops)),
      repeats: all.some(({ repeats }) => repeats),
      reaches: all[0]?.reaches ?? 'host',
    };
  });
}

/** One after the other; whether anything came is asked at the end. */
export function inOneGo(tries: readonly InboundAttempt[]): InboundAttempt {
  return {
    title: `${String(tries.length)} attempts`,
    send: async (world, tap) => {
      for (const attempt of tries) await attempt.send(world, tap);
    },
    drops: sum(tries.map(({ drops }) => drops)),
    by: [...new Set(tries.map(({ by }) => by))].join(', '),
    reachesUnguarded: tries.some(({ reachesUnguarded }) => reachesUnguarded),
  };
}

/** Exit code 2 when one of them could not be tried, else 1; see demo/scenario/trial.ts. */
function sideBySide(scripts: readonly string[]): string {
  const started = scripts.map((script) => `{ ${script}; [ $? -le 1 ] || : >/tmp/failed; } &`);
  return ['rm -f /tmp/failed', ...started, 'wait', '[ ! -e /tmp/failed ] || exit 2', 'exit 1'].join('\n');
}

function sum(counts: readonly Counts[]): Counts {
  const total: Record<string, number> = {};
  for (const [reason, count] of counts.flatMap((one) => Object.entries(one)))
    total[reason] = (total[reason] ?? 0) + count;
  return total;
}
