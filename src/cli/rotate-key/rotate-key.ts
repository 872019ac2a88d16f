import { noteGuestKeys } from '../../agent/guest/guest-seed.ts';
import { makeNextKey } from '../../agent/guest/key-rotation.ts';
import type { ClosedTapPorts } from '../../agent/wiring/closed-tap.ts';
import { type AttachmentPaths, guestKeyOf } from '../../agent/wiring/paths.ts';
import { InputError } from '../input-error.ts';

/** One network card of the VM. */
export interface RotatedKey {
  readonly vm: string;
  /** What its record goes by. */
  readonly attachment: string;
  /** `namespace/name`; null: none has bound it yet. */
  readonly network: string | null;
  readonly publicKey: string;
  readonly nextPublicKey: string;
}

/**
 * The next key of each card of a VM that has a tunnel, made unless it is there. The present one stays in force; see
 * agent/guest/key-rotation.ts.
 * @throws InputError (refused) for a VM that this host does not know, or that has no key; VMN_STATE_UNREADABLE
 */
export function rotateKey(
  vm: string,
  paths: AttachmentPaths,
  { records, withStateLock }: Pick<ClosedTapPorts, 'records' | 'withStateLock'>,
): RotatedKey[] {
  // The lock would make the folder of a host that has none.
  if (recordsOf(vm, records).length === 0) throw unknownVm(vm, records);
  const rotated = withStateLock(() =>
    recordsOf(vm, records).flatMap(({ tap, network }): RotatedKey[] => {
      const keys = makeNextKey(guestKeyOf(paths, tap));
      if (keys === null) return [];
      const guest = { publicKey: keys.present.publicKey, nextPublicKey: keys.next.publicKey };
      noteGuestKeys(tap, guest, records);
      return [{ vm, attachment: tap, network, ...guest }];
    }),
  );
  if (rotated.length > 0) return rotated;
  const remedy =
    'A key comes with the first start of a VM whose VMNetwork has spec.wireGuard.peerPublicKey: there is nothing to replace.';
  throw new InputError(`VM ${vm}`, 'has no key on this host', remedy, 'refused');
}

type Records = Pick<ClosedTapPorts['records'], 'list'>;

function recordsOf(vm: string, records: Records) {
  return [...records.list().values()].flatMap((found) => {
    // One of them may be of this VM, and its key would stay as it is without a word.
    if (found.state === 'unreadable') throw found.error;
    return found.state === 'ok' && found.record.vm === vm ? [found.record] : [];
  });
}

function unknownVm(vm: string, records: Records): InputError {
  const known = [...records.list().values()].flatMap((found) =>
    found.state === 'ok' ? [found.record.vm] : [],
  );
  const names = [...new Set(known)].sort().join(', ') || '(it has none)';
  return new InputError(`VM ${vm}`, 'is none of this host', `Give one of ${names}.`, 'refused');
}
