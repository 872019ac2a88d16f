import { needsControlPlane } from '../control-plane/requirement.ts';
import { executable, file, kernel, root } from '../requirement.ts';
import { requires } from '../skip.ts';

/** What a host of a cluster takes, on one machine. */
export const CLUSTER_NEEDS = [
  root,
  kernel(6, 6),
  file('/dev/net/tun', 'modprobe tun'),
  ...['ip', 'nft', 'tcpdump'].map(executable),
  needsControlPlane('helm'),
];

/** `describe` for blocks that play on a host of a cluster. */
export const { describe } = requires(...CLUSTER_NEEDS);
