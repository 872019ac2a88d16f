import { compare } from '../compare.ts';
import { framesAccountedFor, inPlace, testRun, type Effort } from '../measure/program.ts';
import type { Subject } from '../measure/subject.ts';
import type { Group, Row, Target } from '../row.ts';

/** Where a judgement is measured: again and again on one frame, or on the tcx hook of a tap. */
export type Venue = 'test run' | 'in place';

/** One kind of frame under one policy, to be compared with a program that does nothing. */
export interface Judgement {
  id: string;
  group: Group;
  number: string;
  venue: Venue;
  what: string;
  subject: Omit<Subject, 'name'>;
  /** Whether the frame comes out behind the filter. */
  passes: boolean;
  target: Target | null;
}

/** Every round measures each judgement once, beside the empty program; all frames must meet the fate that is expected. */
export async function measureJudgements(
  venue: Venue,
  judgements: readonly Judgement[],
  effort: Effort,
  commit: string,
): Promise<Row[]> {
  const here = judgements.filter((judgement) => judgement.venue === venue);
  const subjects = here.map(({ id, subject }) => ({ name: id, ...subject }));
  const samples = await (venue === 'test run' ? testRun : inPlace)(subjects, effort);
  return here.map(({ id, group, number, what, passes, target }) => {
    const of = samples.get(id) ?? [];
    const frames = framesAccountedFor(of);
    // Under BPF_PROG_TEST_RUN there is no behind.
    if (venue === 'in place')
      framesAccountedFor(of, ({ sunk, frames: all }) => (passes ? sunk : all - (sunk ?? 0)));
    const pairs = {
      ours: of.map(({ filterNs }) => filterNs),
      other: of.map(({ emptyNs }) => emptyNs),
      frames,
    };
    const against = `empty program, ${venue}`;
    return compare({ id, group, number, what, against, unit: 'ns' }, pairs, target, commit);
  });
}
