import type { Explanation } from '../judge/explanation.ts';

/** What engines said of one frame, where they did not say the same. */
export interface Difference {
  readonly number: number;
  readonly rows: readonly Explanation[];
}

/** Counts frames by what became of them, and finds those of which engines say different things. */
export class Tally {
  readonly #verdicts = { allow: 0, audit: 0, reply: 0, drop: 0, unknown: 0 };
  readonly #drops = new Map<string, number>();
  #frames = 0;
  #differing = 0;
  #first: Difference | null = null;
  #notShown = 0;

  /** What every engine said of one frame. An engine that could not say counts only when none could. */
  add(rows: readonly Explanation[]): void {
    const said = rows.filter(({ verdict }) => verdict !== 'unknown');
    const row = said[0] ?? rows[0];
    if (row === undefined) return;
    this.#frames += 1;
    this.#verdicts[row.audited ? 'audit' : row.verdict] += 1;
    if (row.verdict === 'drop' || row.audited)
      this.#drops.set(row.reason, (this.#drops.get(row.reason) ?? 0) + 1);
    if (said.length > 0 && said.length < rows.length) this.#notShown += 1;
    if (said.every((other) => isSame(other, row))) return;
    this.#differing += 1;
    this.#first ??= { number: row.number, rows: said };
  }

  get frames(): number {
    return this.#frames;
  }

  get dropped(): number {
    return this.#verdicts.drop;
  }

  get unknown(): number {
    return this.#verdicts.unknown;
  }

  get firstDifference(): Difference | null {
    return this.#first;
  }

  /** `9 frames: 2 allowed, 1 answered, 6 dropped (4 DestinationAddress, 2 Ipv6)`, audited ones among the reasons. */
  get summary(): string {
    if (this.#frames === 0) return 'the capture holds no frames';
    const { allow, audit, reply, drop, unknown } = this.#verdicts;
    const parts = [
      [allow, 'allowed'],
      [reply, 'answered'],
      [audit, 'passed for the audit'],
      [drop, 'dropped'],
      [unknown, 'not judged'],
    ] as const;
    const shown = parts.filter(([count, what]) => count > 0 || what === 'allowed' || what === 'dropped');
    const reasons = [...this.#drops]
      .sort(([, a], [, b]) => b - a)
      .map(([reason, count]) => `${count} ${reason}`);
    const why = reasons.length === 0 ? '' : ` (${reasons.join(', ')})`;
    return `${counted(this.#frames)}: ${shown.map(([count, what]) => `${count} ${what}`).join(', ')}${why}`;
  }

  /** How engines compare, in lines; empty where all say the same of every frame. */
  get comparison(): string[] {
    const notShown =
      this.#notShown === 0 ? [] : [`${counted(this.#notShown)} could not be shown to every engine`];
    if (this.#first === null) return notShown;
    const said = this.#first.rows.map(({ engine, verdict, reason, audited }) => {
      return `${engine} says ${audited ? 'audited' : verdict} ${reason}`;
    });
    const first = `first frame ${this.#first.number}: ${said.join(', ')}`;
    return [...notShown, `engines differ on ${counted(this.#differing)}, ${first}`];
  }
}

function isSame(a: Explanation, b: Explanation): boolean {
  return a.verdict === b.verdict && a.reasonCode === b.reasonCode && a.audited === b.audited;
}

function counted(frames: number): string {
  return frames === 1 ? '1 frame' : `${frames} frames`;
}
