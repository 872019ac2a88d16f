import { executable, file, kernel, root } from '../requirement.ts';

/** What it takes to build a Debian, to boot it, and to be its consumer. */
export const DEBIAN_NEEDS = [
  root,
  kernel(6, 6),
  file('/dev/net/tun', 'modprobe tun'),
  ...['qemu-system-x86_64', 'busybox', 'apt-get', 'mmdebstrap', 'mkfs.ext4'].map(executable),
  ...['tcpdump', 'wireguard-go', 'wg'].map(executable),
];
