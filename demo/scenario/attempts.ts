import type { Attacker, Attempt } from './attempt.ts';
import type { FarEndName } from './far-end.ts';
import { ask, ping, scan, SCANNED, tcp, udp } from './guest-script.ts';
import { hostileFrames } from './hostile-frames.ts';
import { PLACES } from './places.ts';

/** Everything of E2E-4, and the bypasses SB-1 to SB-8 as far as a guest can send them through its own network card. */
export function attempts(attacker: Attacker): Attempt[] {
  return [...through(attacker), ...hostileFrames(attacker)];
}

/** With ordinary programs, after root has flushed the guest's firewall. */
function through({ endpoint, otherVm, gatewayAddress }: Attacker): Attempt[] {
  const elsewhere = { DestinationAddress: 1 };
  const notUdp = { Protocol: 1 };
  const internet = (title: string, script: string, drops: Attempt['drops']): Attempt =>
    stack('The internet', title, script, drops, 'internet');
  const host = (title: string, script: string, drops: Attempt['drops']): Attempt =>
    stack('The host', title, script, drops, 'host');
  const near = (title: string, script: string, drops: Attempt['drops'], reaches: FarEndName): Attempt =>
    stack('The provider', title, script, drops, reaches);
  const consumer = (title: string, script: string, drops: Attempt['drops']): Attempt =>
    stack('The consumer, otherwise than agreed', title, script, drops, 'consumer');
  const ports = SCANNED.last - SCANNED.first + 1;
  return [
    internet('UDP, handshake-shaped', ask(PLACES.internet, endpoint.port), elsewhere),
    internet('TCP 443', tcp(PLACES.internet, 443), notUdp),
    internet('ICMP echo', ping(PLACES.internet), notUdp),
    internet('DNS over UDP', udp(PLACES.nameServer, 53), elsewhere),
    internet('DNS over TCP', tcp(PLACES.nameServer, 53), notUdp),
    host('its address, UDP 53', udp(PLACES.host, 53), elsewhere),
    host('its address, TCP 22', tcp(PLACES.host, 22), notUdp),
    host('its address, ICMP echo', ping(PLACES.host), notUdp),
    host('its gateway address, UDP 53', udp(gatewayAddress, 53), elsewhere),
    host('port scan, 20 ports', scan(PLACES.host), { DestinationAddress: ports, Protocol: ports }),
    near('LAN neighbour, UDP 161', udp(PLACES.lanNeighbour, 161), elsewhere, 'LAN neighbour'),
    near('LAN neighbour, TCP 80', tcp(PLACES.lanNeighbour, 80), notUdp, 'LAN neighbour'),
    near('LAN neighbour, ICMP echo', ping(PLACES.lanNeighbour), notUdp, 'LAN neighbour'),
    near('metadata server, TCP 80', tcp(PLACES.metadata, 80), notUdp, 'metadata server'),
    near('metadata server, UDP 53', udp(PLACES.metadata, 53), elsewhere, 'metadata server'),
    near('other VM, UDP, handshake-shaped', ask(otherVm, endpoint.port), elsewhere, 'other VM'),
    near('other VM, TCP 22', tcp(otherVm, 22), notUdp, 'other VM'),
    near('other VM, ICMP echo', ping(otherVm), notUdp, 'other VM'),
    consumer('wrong port', ask(endpoint.address, endpoint.port + 1), { DestinationPort: 1 }),
    consumer('port scan, 20 ports', scan(endpoint.address), { DestinationPort: ports, Protocol: ports }),
    consumer('TCP to the endpoint', tcp(endpoint.address, endpoint.port), notUdp),
    consumer('ICMP echo', ping(endpoint.address), { IcmpToEndpoint: 1 }),
    consumer('payload that is not WireGuard', udp(endpoint.address, endpoint.port), { NotWireGuard: 1 }),
  ];
}

function stack(
  group: string,
  title: string,
  script: string,
  drops: Attempt['drops'],
  reaches: FarEndName,
): Attempt {
  return { group, title, script, drops, repeats: true, reaches };
}
