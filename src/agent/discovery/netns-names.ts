import type { Closable, Machine, NamedNetns } from './machine.ts';

/** A name behind which there is never a namespace is not looked at without end. */
const MOST_VAIN_LOOKS = 40;

/**
 * The network namespaces that have names. A name is made first and has its namespace mounted over it a moment later, which no event of
 * the folder tells: until then it is looked at again, for some time.
 */
export class NetnsNames {
  readonly #machine: Pick<Machine, 'namedNetns' | 'watchNamedNetns'>;
  readonly #onChange: () => void;
  #watch: Closable | null = null;
  #changed = true;
  #named: readonly NamedNetns[] = [];
  /** How often each of those without a namespace was looked at. */
  #vain: ReadonlyMap<string, number> = new Map();

  constructor(machine: Pick<Machine, 'namedNetns' | 'watchNamedNetns'>, onChange: () => void) {
    this.#machine = machine;
    this.#onChange = onChange;
  }

  /** `thorough`: whether or not something was told. */
  all(thorough: boolean): readonly NamedNetns[] {
    if (thorough) this.#watchAnew();
    if (thorough || this.#changed || this.isUnfinished) this.#look();
    return this.#named;
  }

  /** There are names that are to be looked at again soon. */
  get isUnfinished(): boolean {
    return [...this.#vain.values()].some((looks) => looks < MOST_VAIN_LOOKS);
  }

  /** Idempotent. */
  close(): void {
    this.#watch?.close();
    this.#watch = null;
  }

  #look(): void {
    this.#changed = false;
    const names = this.#machine.namedNetns();
    this.#named = names.filter(({ mounted }) => mounted);
    const before = this.#vain;
    const files = names.flatMap(({ path, inode, mounted }) => (mounted ? [] : `${path} ${inode}`));
    this.#vain = new Map(files.map((file) => [file, (before.get(file) ?? 0) + 1]));
  }

  /** A folder of names that could not be watched before is from now on. */
  #watchAnew(): void {
    this.close();
    this.#watch = this.#machine.watchNamedNetns(() => {
      this.#changed = true;
      this.#onChange();
    });
  }
}
