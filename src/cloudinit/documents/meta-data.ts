import { createHash } from 'node:crypto';
import type { Guest } from './guest.ts';
import { networkConfig } from './network-config.ts';
import { yamlText } from './yaml-text.ts';

/** RFC 1123, one label or several; whatever else a launcher calls a VM is no name of a host. */
const HOST_NAME = /^(?=.{1,64}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/**
 * What cloud-init knows of the guest before it reads anything else.
 *
 * `dsmode: local` makes it read vendor-data and run its first modules before the network instead of after it: that is when
 * the firewall comes into being at the first boot (docs/adr/0028).
 */
export function metaData(guest: Guest): string {
  return yamlText({
    'instance-id': instanceId(guest),
    dsmode: 'local',
    ...(HOST_NAME.test(guest.vmName) ? { 'local-hostname': guest.vmName } : {}),
  });
}

/**
 * With a new id cloud-init takes the guest for another: it makes new SSH host keys and runs the tenant's commands again. So
 * the id changes when the VM is another one, as with a copied disk, and when network-config changes, which is read for a new
 * id only. Keys, endpoint and firewall are written at every boot and do not count.
 */
export function instanceId(guest: Guest): string {
  const told = JSON.stringify([guest.vmName, guest.instance, networkConfig(guest)]);
  return `vmn-${createHash('sha256').update(told).digest('hex').slice(0, 32)}`;
}
