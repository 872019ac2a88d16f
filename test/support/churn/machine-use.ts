import { readFileSync } from 'node:fs';

/** Whom the processors of the machine worked for, of all they could have done. */
export interface MachineUse {
  readonly busyShare: number;
  /** For this process and those that it started and that have ended. */
  readonly ownShare: number;
  /** Taken by whoever the machine is a guest of. */
  readonly stolenShare: number;
}

interface Ticks {
  readonly all: number;
  readonly idle: number;
  readonly stolen: number;
  readonly own: number;
}

/** Counts from when it is made. */
export class MachineWatch {
  readonly #before = ticks();

  /** To be asked when what was started has ended. */
  use(): MachineUse {
    const after = ticks();
    const share = (part: keyof Ticks): number =>
      (after[part] - this.#before[part]) / Math.max(1, after.all - this.#before.all);
    return { busyShare: 1 - share('idle'), ownShare: share('own'), stolenShare: share('stolen') };
  }
}

/** proc_stat(5), proc_pid_stat(5): both in clock ticks. What guests of ours do is counted within `user` and `nice`, too. */
function ticks(): Ticks {
  const [first = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const times = first.split(/\s+/).slice(1, 9).map(Number);
  const [, , , idle = 0, waiting = 0, , , stolen = 0] = times;
  const stat = readFileSync('/proc/self/stat', 'utf8');
  // From field 3 on, behind the name, which may hold blanks; 14 to 17 are the times, those of children last.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const own = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { all: times.reduce((sum, time) => sum + time, 0), idle: idle + waiting, stolen, own };
}
