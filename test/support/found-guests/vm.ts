import type { ChildProcess } from 'node:child_process';
import { PLACES } from '../../../demo/scenario/places.ts';
import { GATEWAY_ADDRESS } from '../../../src/agent/wiring/identity.ts';
import { Guest, type GuestMachine } from '../guest/index.ts';
import type { FoundStage } from './stage.ts';

/** A VM that somebody other than us starts, and the way in which its tap comes to be; see ways.ts. */
export interface FoundVmSpec {
  /** What a VMNetwork names it by. */
  name: string;
  /** What is said of it in the ledger; its name unless there is one. */
  label?: string;
  uuid: string;
  mac: string;
  /** Address that it takes by itself, before it is given one. */
  address: string;
  /** Name of the tap as it will be; `%d` is a number that its maker chooses. */
  tap: string;
  /** Whether whoever starts it puts the tap into the bridge. */
  inBridge: boolean;
  /** What is done on the host before it starts. */
  prepare?: ((stage: FoundStage) => Promise<void>) | undefined;
  launch: (stage: FoundStage, argv: string[], machine: GuestMachine) => ChildProcess;
}

/** One more card, for a VM that runs. */
export type PluggedCard = Pick<FoundVmSpec, 'mac' | 'address' | 'tap' | 'prepare'> & {
  label: string;
  plug: (stage: FoundStage, vm: FoundVmSpec) => Promise<void>;
};

/** Boots it with an address, a gateway and a firewall of its own. */
export async function bootFound(spec: FoundVmSpec, stage: FoundStage): Promise<Guest> {
  const { address, port } = PLACES.consumer;
  await spec.prepare?.(stage);
  return Guest.boot({
    name: spec.name,
    image: stage.image,
    scratch: stage.lab.scratch,
    network: { address: spec.address, gateway: GATEWAY_ADDRESS, endpoint: `${address}:${String(port)}` },
    launch: (argv, machine) => spec.launch(stage, argv, machine),
  });
}

/** Root's commands that give a guest another address; what it had still to send is thrown away. */
export function readdress(address: string): string {
  return [
    'ip link set eth0 down',
    'ip address flush dev eth0',
    `ip address add ${address}/32 dev eth0`,
    'ip link set eth0 up',
    `ip route add ${GATEWAY_ADDRESS} dev eth0 scope link`,
    `ip route add default via ${GATEWAY_ADDRESS} dev eth0`,
  ].join(' && ');
}

/** Root's commands after a card was plugged: it is eth0 from then on, and the former one is down. */
export const TAKE_PLUGGED_CARD = [
  'for i in $(seq 100); do [ -e /sys/class/net/eth1 ] && break; usleep 100000; done',
  'ip link set eth0 down',
  'ip link set eth0 name former0',
  'ip link set eth1 name eth0',
].join(' && ');
