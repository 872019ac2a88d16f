import { executable, file, kernel, root } from '../requirement.ts';
import { requires } from '../skip.ts';

/** `describe` for blocks that play on a stage: skipped, and counted, where the machine cannot hold one. */
export const { describe } = requires(
  root,
  kernel(6, 6),
  file('/dev/net/tun', 'modprobe tun'),
  ...['ip', 'nft', 'tc', 'tcpdump', 'bpftool', 'python3'].map(executable),
);
