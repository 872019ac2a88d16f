import {
  type BackendFact,
  type CardFact,
  fdsFact,
  macFact,
  MOST_CARDS,
  uuidFact,
  type VmFacts,
} from '../facts.ts';
import { DefaultMacs } from './default-macs.ts';
import { qmpSockets } from './monitors.ts';
import { type Options, parseOptions } from './options.ts';
import { type Option, optionsOf } from './words.ts';

/** What a QEMU command line says of the VM: how it was started, not what was plugged since. */
export interface CommandLine {
  readonly facts: VmFacts;
  /** The process waits, or waited, for a VM to arrive from elsewhere. */
  readonly incoming: boolean;
  /** Paths on which QEMU listens for a client that speaks QMP, as given. libvirt's own is not among them. */
  readonly qmpSockets: readonly string[];
  /** libvirt started it, and holds its monitor. */
  readonly byLibvirt: boolean;
  /** Devices of the host that the guest drives itself, by PCI address; what they are is not said. */
  readonly hostDevices: readonly string[];
}

/** Id of the hub that `-net` puts everything on. */
const HUB = '#hub';

/** Never throws, whatever the words are. */
export function readCommandLine(argv: readonly string[]): CommandLine {
  const options = optionsOf(argv);
  const name = mergedOf(options, 'name', 'guest');
  const devices = valuesOf(options, 'device').map((value) => parseOptions(value, 'driver'));
  const sockets = qmpSockets(options);
  return {
    facts: {
      name: name.get('guest') ?? null,
      uuid: uuidFact(valuesOf(options, 'uuid').at(-1)),
      ...networkOf(options, devices),
    },
    incoming: options.some((option) => option.name === 'incoming'),
    qmpSockets: sockets.paths,
    byLibvirt: sockets.libvirt,
    hostDevices: devices.flatMap((device) =>
      /^vfio-pci/.test(device.get('driver') ?? '') ? (device.get('host') ?? []) : [],
    ),
  };
}

/** Cards in the order in which QEMU makes them, which decides about default addresses: -nic, -net nic, -device. */
function networkOf(
  options: readonly Option[],
  devices: readonly Options[],
): { cards: CardFact[]; backends: BackendFact[] } {
  const nics = valuesOf(options, 'nic').map((value) => parseOptions(value, 'type'));
  const nets = valuesOf(options, 'net').map((value) => parseOptions(value, 'type'));
  const netdevs = valuesOf(options, 'netdev').map((value) => parseOptions(value, 'type'));
  const backends = netdevs.map((netdev) => backendOf(netdev.get('id') ?? '', netdev));
  const cards: CardFact[] = [];
  const macs = new DefaultMacs();

  nics.forEach((nic, at) => {
    if (nic.get('type') === 'none') return;
    const id = nic.get('id') ?? `#nic${at}`;
    backends.push(backendOf(id, nic));
    cards.push({
      device: nic.get('model') ?? 'nic',
      mac: macs.next(macFact(nic.get('mac'))),
      backends: [id],
    });
  });

  const onHub = nets.filter((net) => !['nic', 'none'].includes(net.get('type') ?? 'none'));
  const hub = onHub.map((net, at) => backendOf(`${HUB}${at}`, net));
  backends.push(...hub);
  for (const net of nets.filter((one) => one.get('type') === 'nic')) {
    const netdev = net.get('netdev');
    const ids = netdev === undefined ? hub.map(({ id }) => id) : [netdev];
    cards.push({
      device: net.get('model') ?? 'nic',
      mac: macs.next(macFact(net.get('macaddr'))),
      backends: ids,
    });
  }

  if (hasDefaultCard(options)) {
    backends.push({ id: '#default', kind: 'user', interface: null, fds: [] });
    cards.push({ device: 'nic', mac: macs.next(null), backends: ['#default'] });
  }

  for (const device of devices.filter(isCard)) {
    const netdev = device.get('netdev');
    cards.push({
      device: device.get('driver') ?? '',
      mac: macs.next(macFact(device.get('mac'))),
      backends: netdev === undefined ? [] : [netdev],
    });
  }
  return { cards: cards.slice(0, MOST_CARDS), backends: backends.slice(0, MOST_CARDS) };
}

function backendOf(id: string, options: Options): BackendFact {
  return {
    id,
    kind: options.get('type') ?? '',
    interface: options.get('ifname') ?? null,
    fds: [...fdsFact(options.get('fd')), ...fdsFact(options.get('fds'))],
  };
}

/** Without a word about the network QEMU makes a card with slirp behind it. */
function hasDefaultCard(options: readonly Option[]): boolean {
  const machine = new Map([...mergedOf(options, 'machine', 'type'), ...mergedOf(options, 'M', 'type')]);
  if (machine.get('type') === 'none') return false;
  return !options.some(({ name }) => ['nic', 'net', 'netdev', 'nodefaults'].includes(name));
}

function isCard(device: Options): boolean {
  if (device.has('netdev')) return true;
  return /^(virtio-net|e1000|rtl8139|ne2k|pcnet|vmxnet3|igb|i825|tulip|usb-net|spapr-vlan)/.test(
    device.get('driver') ?? '',
  );
}

/** An option that may be given several times: each adds to it. */
function mergedOf(options: readonly Option[], name: string, implied: string): Options {
  return new Map(valuesOf(options, name).flatMap((value) => [...parseOptions(value, implied)]));
}

function valuesOf(options: readonly Option[], name: string): string[] {
  return options.flatMap((option) => (option.name === name ? [option.value] : []));
}
