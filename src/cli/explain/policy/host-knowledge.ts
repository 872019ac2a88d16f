import { allocateAddress } from '../../../agent/wiring/address-pool.ts';
import { identityOf } from '../../../agent/wiring/identity.ts';
import { recordsDirOf } from '../../../agent/wiring/paths.ts';
import { RecordFolder } from '../../../agent/wiring/record.ts';
import type { PathOptions } from '../../options.ts';
import type { HostKnowledge } from './guest.ts';

/** From the agent's records, as far as they exist and may be read: `explain` works anywhere, by anybody. */
export function hostKnowledge(paths: PathOptions): HostKnowledge {
  const records = new RecordFolder(recordsDirOf(paths));
  return {
    recordedAddress(vm) {
      const found = records.read(identityOf(vm).tap);
      return found.state === 'ok' ? found.record.guestAddress : null;
    },
    likelyAddress: (vm) => allocateAddress(vm, paths.pool, new Set()),
  };
}
