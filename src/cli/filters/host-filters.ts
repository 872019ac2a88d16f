import { join } from 'node:path';
import { parsePinName } from '../../agent/found/pins.ts';
import type { Kernel, Link, ReadBack } from '../../agent/host/kernel.ts';
import { isTapName, ownerOfAlias } from '../../agent/wiring/identity.ts';
import { type AttachmentPaths, recordsDirOf } from '../../agent/wiring/paths.ts';
import { type AttachmentRecord, RecordFolder, type RecordState } from '../../agent/wiring/record.ts';
import { isVmnError } from '../../lib/errors.ts';
import { decodePolicy, type Policy } from '../../native/policy-abi.ts';
import { InputError } from '../input-error.ts';

/** A filter that is pinned on this host. */
export interface HostFilter {
  readonly vm: string;
  /** The interface; of one in another network namespace, or one that is gone, what the pins go by. */
  readonly tap: string;
  readonly pinDir: string;
  /** Of the interface in this network namespace; null: it is gone, or elsewhere. */
  readonly ifindex: number | null;
  /** The interface is in another network namespace, and not seen from here. */
  readonly elsewhere: boolean;
}

type FilterKernel = Pick<Kernel, 'listPins' | 'links' | 'readBack'>;

/** The filters that are pinned here, those on taps of others too, and whose they are. Needs root, no agent. */
export class HostFilters {
  readonly #kernel: FilterKernel;
  readonly #paths: AttachmentPaths;

  constructor(kernel: FilterKernel, paths: AttachmentPaths) {
    this.#kernel = kernel;
    this.#paths = paths;
  }

  /** By VM, then by interface. */
  list(): HostFilter[] {
    const links = this.#kernel.links();
    const records = new RecordFolder(recordsDirOf(this.#paths)).list();
    return this.#kernel
      .listPins(this.#paths.bpffs)
      .flatMap((pins) => this.#filter(pins, links, records) ?? [])
      .sort((a, b) => compare(a.vm, b.vm) || compare(a.tap, b.tap));
  }

  /** Of the VM, or on the interface, of this name. Throws InputError when there is none. */
  named(name: string): HostFilter[] {
    const found = this.list().filter(({ vm, tap }) => name === vm || name === tap);
    if (found.length > 0) return found;
    throw new InputError(
      name,
      'no VM of this name has a filter on this host',
      'See vmnetctl status.',
      'refused',
    );
  }

  #filter(
    pins: string,
    links: readonly Link[],
    records: ReadonlyMap<string, RecordState>,
  ): HostFilter | null {
    const pinDir = join(this.#paths.bpffs, pins);
    if (isTapName(pins)) {
      const link = links.find(({ name }) => name === pins);
      const vm = recordOf(records.get(pins))?.vm ?? (link && ownerOfAlias(link.alias, pins))?.vm;
      return { vm: vm ?? pins, tap: pins, pinDir, ifindex: link?.ifindex ?? null, elsewhere: false };
    }
    const found = parsePinName(pins);
    if (found === null || found.aside) return null;
    const elsewhere = found.site !== null;
    const link = elsewhere ? undefined : links.find(({ ifindex }) => ifindex === found.ifindex);
    const tap = link?.name ?? pins;
    return {
      vm: this.#guestOf(pinDir, records) ?? tap,
      tap,
      pinDir,
      ifindex: link?.ifindex ?? null,
      elsewhere,
    };
  }

  /** Whose card is bound there: the policy in force tells the guest, and no two guests of a host have one address. */
  #guestOf(pinDir: string, records: ReadonlyMap<string, RecordState>): string | null {
    const policy = policyOn(this.#kernel, pinDir);
    if (policy === null) return null;
    const record = [...records.values()]
      .map(recordOf)
      .find((it) => it?.guestAddress === policy.guestAddress && it.guestMac === policy.guestMac);
    return record?.vm ?? null;
  }
}

/** The policy in force, read back; null: none, or none that this version can read. */
export function policyOn(kernel: Pick<Kernel, 'readBack'>, pinDir: string): Policy | null {
  try {
    return policyIn(kernel.readBack(pinDir));
  } catch (error) {
    if (isVmnError(error)) return null;
    throw error;
  }
}

function policyIn({ policy }: Pick<ReadBack, 'policy'>): Policy | null {
  if (policy === null) return null;
  try {
    return decodePolicy(policy);
  } catch {
    return null;
  }
}

function recordOf(state: RecordState | undefined): AttachmentRecord | undefined {
  return state?.state === 'ok' ? state.record : undefined;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
