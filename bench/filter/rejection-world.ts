import type { Lab, Namespace } from '../../test/support/lab/index.ts';
import { ENDPOINT, GATEWAY, GUEST } from './guest.ts';

/** The VM's tap and the way on, in every namespace of a world. */
export const TAP = 'vm';
export const UPLINK = 'uplink';

const NEXT_HOP = { address: '192.0.2.1', mac: '02:00:00:00:00:01' } as const;
const TABLE = 'ip bench';

/**
 * A network namespace that forwards what comes from the tap to the endpoint's network. Nothing else is in it: no connection
 * tracking, no reverse path filter, neighbours known. Whatever nftables does here, it does at its best.
 */
export async function forwardingNamespace(lab: Lab, name: string): Promise<Namespace> {
  const namespace = await lab.namespace(name);
  for (const command of [
    `ip tuntap add dev ${TAP} mode tap`,
    `ip link set ${TAP} address ${GATEWAY.mac} up`,
    `ip address add ${GATEWAY.address}/32 dev ${TAP}`,
    `ip route add ${GUEST.address}/32 dev ${TAP}`,
    `ip neighbour add ${GUEST.address} lladdr ${GUEST.mac} dev ${TAP} nud permanent`,
    `ip link add ${UPLINK} type veth peer name far`,
    `ip link set ${UPLINK} up`,
    'ip link set far up',
    `ip address add 192.0.2.2/24 dev ${UPLINK}`,
    `ip neighbour add ${NEXT_HOP.address} lladdr ${NEXT_HOP.mac} dev ${UPLINK} nud permanent`,
    `ip route add ${ENDPOINT.address}/32 via ${NEXT_HOP.address} dev ${UPLINK}`,
  ]) {
    await namespace.run(command.split(' '));
  }
  await namespace.sysctl('net.ipv4.conf.all.rp_filter', 0);
  await namespace.sysctl(`net.ipv4.conf.${TAP}.rp_filter`, 0);
  await namespace.sysctl('net.ipv4.ip_forward', 1);
  return namespace;
}

/** One rule at the forward hook that ends every packet it sees, and counts it: the cheapest that nftables can do there. */
export async function endForwarding(namespace: Namespace, verdict: 'drop' | 'reject'): Promise<void> {
  const input = `table ${TABLE} {
  chain forward { type filter hook forward priority filter; policy accept; counter ${verdict}; }
}
`;
  await namespace.run(['nft', '-f', '-'], { input });
}

/** How many packets that rule has ended. */
export async function packetsEnded(namespace: Namespace): Promise<number> {
  const listing = await namespace.run(['nft', 'list', 'table', ...TABLE.split(' ')]);
  const packets = /counter packets (\d+)/.exec(listing)?.[1];
  if (packets === undefined) throw new Error(`no counter in what nft lists:\n${listing}`);
  return Number(packets);
}
