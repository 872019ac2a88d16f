import { isVmnError, VmnError } from '../../lib/errors.ts';
import { isNamedAsOurs } from '../../native/filter-engine.ts';
import { parsePinName } from '../found/pins.ts';
import type { Kernel, ReadBack } from '../host/kernel.ts';
import { pinDirOf } from './paths.ts';
import type { AttachmentPaths } from './paths.ts';
import { attachmentFault } from './verify.ts';

/*
 * Theory of operation
 *
 * A tcx link is a device's, and goes with it into another network namespace and to another name. There the device is another
 * interface to us, which gets a filter of its own in front. Both judge from then on, and only what both let through passes: the
 * one of before was emptied when its interface went, so nothing does, whatever the one in front says.
 *
 * So what else is at the hooks is read back with the filter. Filters of found links that are beside the one in force are retired:
 * under the state lock, once that one was read back in front on both hooks, and only if they are on no other interface.
 * A SIGKILL in between leaves both, or a part of the former one. What is no pin of a found link of ours is left alone: it may be a
 * tap that we made and that goes by another name now, or be pinned elsewhere, by another agent.
 */

/** What is at the hooks of an interface besides the filter of these pins. */
export interface Beside {
  /** Names of pins: filters of this interface from when it was elsewhere, or another to us. */
  readonly former: readonly string[];
  /** Filters of ours that are not to be retired, by name of their pins or of the program. They have policies of their own. */
  readonly ours: readonly string[];
  /** Programs of others. */
  readonly foreign: readonly string[];
}

/** Whose pins a program is of. The pins are read when first asked: as a rule nobody else is at a hook. */
export class PinnedPrograms {
  readonly #kernel: Pick<Kernel, 'readBack' | 'isReplacing'>;
  readonly #paths: Pick<AttachmentPaths, 'bpffs'>;
  readonly #pins: ReadonlySet<string>;
  #owners: ReadonlyMap<number, string> | null = null;

  constructor(
    kernel: Pick<Kernel, 'readBack' | 'isReplacing'>,
    paths: Pick<AttachmentPaths, 'bpffs'>,
    pins: ReadonlySet<string>,
  ) {
    this.#kernel = kernel;
    this.#paths = paths;
    this.#pins = pins;
  }

  ownerOf(programId: number): string | null {
    this.#owners ??= this.#read();
    return this.#owners.get(programId) ?? null;
  }

  #read(): Map<number, string> {
    const owners = new Map<number, string>();
    for (const name of this.#pins) {
      for (const { fromVm, toVm } of this.#filtersOf(name))
        for (const hook of [fromVm, toVm])
          if (hook !== null && hook.programId !== 0) owners.set(hook.programId, name);
    }
    return owners;
  }

  /** Of pins that cannot be read nothing is known but what their programs call themselves. */
  #filtersOf(name: string): ReadBack[] {
    try {
      return filtersIn(pinDirOf(this.#paths, name), this.#kernel);
    } catch (error) {
      if (isVmnError(error)) return [];
      throw error;
    }
  }
}

/** `pins`: the name of those of `filter`. */
export function besideOf({ fromVm, toVm }: ReadBack, pins: string, programs: PinnedPrograms): Beside {
  const former = new Set<string>();
  const ours = new Set<string>();
  const foreign = new Set<string>();
  for (const other of [fromVm, toVm].flatMap((hook) => hook?.others ?? [])) {
    const owner = programs.ownerOf(other.programId);
    // A half-done replacement of its own is seen elsewhere.
    if (owner === pins) continue;
    if (owner !== null) (parsePinName(owner) === null ? ours : former).add(owner);
    else if (isNamedAsOurs(other)) ours.add(`${other.name} (program ${other.programId})`);
    else
      foreign.add(other.programId === 0 ? 'a tc filter' : `${other.name || 'program'} (${other.programId})`);
  }
  return { former: [...former].sort(), ours: [...ours].sort(), foreign: [...foreign].sort() };
}

/**
 * Detaches and removes the filter at `former`, which is beside the one at `pinDir`. Under the state lock.
 * Throws VMN_READ_BACK when that one is not first on both hooks of the interface, or the former is on another one, too.
 */
export function retire(pinDir: string, ifindex: number, former: string, kernel: Kernel): void {
  const filter = kernel.readBack(pinDir);
  const fault = attachmentFault(filter, ifindex) ?? strayHook(filter, filtersIn(former, kernel));
  if (fault !== null)
    throw new VmnError('VMN_READ_BACK', {
      attempted: 'remove a former filter of the interface',
      on: former,
      cause: new Error(fault),
    });
  kernel.removePins(former, { attachedToo: true });
}

function strayHook(filter: ReadBack, former: readonly ReadBack[]): string | null {
  for (const side of ['fromVm', 'toVm'] as const) {
    const beside = new Set(filter[side]?.others.map(({ programId }) => programId));
    for (const hook of former.map((one) => one[side]))
      if (hook !== null && hook.ifindex !== 0 && !beside.has(hook.programId))
        return `a program of it is on interface ${hook.ifindex}, and not beside the one in force`;
  }
  return null;
}

/** That of the folder, and that of a replacement of it which did not end. */
function filtersIn(pinDir: string, kernel: Pick<Kernel, 'readBack' | 'isReplacing'>): ReadBack[] {
  const filter = kernel.readBack(pinDir);
  return kernel.isReplacing(pinDir) ? [filter, kernel.readBack(`${pinDir}_next`)] : [filter];
}
