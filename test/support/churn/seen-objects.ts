import { poll, type Namespace } from '../lab/index.ts';
import { pinnedObjects, stillThere, type BpfIds } from '../stage/snapshot.ts';

const KINDS = ['link', 'map', 'prog'] as const;

/** Links, maps and programs that were pinned below a folder at some time: when their pin is gone they are to go, too. */
export class SeenObjects {
  readonly #host: Namespace;
  readonly #folder: string;
  readonly #seen: BpfIds = { link: [], map: [], prog: [] };

  constructor(host: Namespace, folder: string) {
    this.#host = host;
    this.#folder = folder;
  }

  /** Looks once more; how many are pinned now. */
  async note(): Promise<number> {
    const now = await pinnedObjects(this.#host, this.#folder);
    for (const kind of KINDS) this.#seen[kind].push(...now[kind]);
    return KINDS.reduce((sum, kind) => sum + now[kind].length, 0);
  }

  /** Those that are there without a pin, `map 17`; waits a while for the kernel to free them. */
  async left(): Promise<string[]> {
    let left: string[] = [];
    const freed = async (): Promise<boolean> => {
      const pinned = await pinnedObjects(this.#host, this.#folder);
      const unpinned = (kind: keyof BpfIds): number[] =>
        this.#seen[kind].filter((id) => !pinned[kind].includes(id));
      const gone = { link: unpinned('link'), map: unpinned('map'), prog: unpinned('prog') };
      left = await stillThere(this.#host, gone);
      return left.length === 0;
    };
    await poll('the end of BPF objects', freed, { everyMs: 100 }).catch(() => null);
    return left.map((object) => `${object} is there without a pin`);
  }
}
