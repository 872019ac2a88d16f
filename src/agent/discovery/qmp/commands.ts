import type { QmpClient } from './client.ts';

/**
 * What may be asked of a VM besides looking: for whoever acts on violations. Rejects with QmpError. A monitor that somebody
 * else holds is not to be had; see monitor-socket.ts.
 */

/** Pulls or plugs the cable of a card or a backend, by its id. */
export async function setLink(client: Pick<QmpClient, 'execute'>, id: string, up: boolean): Promise<void> {
  await client.execute('set_link', { name: id, up });
}

/** Ends QEMU at once, as pulling the plug would. That it has ended is to be seen by its process, not by the answer. */
export async function quit(client: Pick<QmpClient, 'execute'>): Promise<void> {
  await client.execute('quit');
}

/** Events that tell of what matters here, of QmpClient's `onEvent`. */
export const VM_EVENTS = [
  'STOP',
  'RESUME',
  'RESET',
  'SHUTDOWN',
  'POWERDOWN',
  'NIC_RX_FILTER_CHANGED',
  'DEVICE_DELETED',
  'MIGRATION',
] as const;
export type VmEvent = (typeof VM_EVENTS)[number];
