import { type BackendFact, fdsFact, MOST_CARDS } from '../facts.ts';

/** What `info network` shows: the monitor has no command in QMP that tells the kinds of backends. */
export interface NetworkText {
  /** Kinds of devices that are cards, as QOM knows them. */
  readonly models: ReadonlySet<string>;
  readonly backends: readonly BackendFact[];
  /** A port of a hub to what is at the other ports, cards left out. */
  readonly ports: ReadonlyMap<string, readonly string[]>;
}

/** ` \ NAME: index=0,type=tap,ifname=tap0,…` (net/net.c, print_net_client); the backslash leads what is at the other end. */
const CLIENT = /^( \\ )?(\S+): index=\d+,type=([\w-]+)(?:,(.*))?$/;
/** ` \ hub0port1: NAME: index=…` (net/hub.c, net_hub_info) */
const PORT = /^ \\ (hub\d+port\d+)(?:: (.*))?$/;

/** Never throws; lines of another form are passed over. */
export function readNetworkText(text: string): NetworkText {
  const models = new Set<string>();
  const backends = new Map<string, BackendFact>();
  const hubs: Map<string, string | null>[] = [];
  for (const line of text.split(/\r?\n/).slice(0, 4 * MOST_CARDS)) {
    if (/^hub \d+$/.test(line)) hubs.push(new Map());
    const port = PORT.exec(line);
    const client = CLIENT.exec(port === null ? line : (port[2] ?? ''));
    const [, , id = '', kind = '', info = ''] = client ?? [];
    if (client !== null && kind === 'nic') {
      const [, model] = /(?:^|,)model=([^,]+)/.exec(info) ?? [];
      if (model !== undefined) models.add(model);
    } else if (client !== null && kind !== 'hubport') {
      const before = backends.get(id);
      backends.set(id, before === undefined ? backendOf(id, kind, info) : withQueue(before, info));
    }
    const [, name] = port ?? [];
    if (name !== undefined) hubs.at(-1)?.set(name, client === null || kind === 'nic' ? null : id);
  }
  return { models, backends: [...backends.values()].slice(0, MOST_CARDS), ports: portsOf(hubs) };
}

function backendOf(id: string, kind: string, info: string): BackendFact {
  return { id, kind, interface: valueOf(info, 'ifname'), fds: fdsFact(valueOf(info, 'fd') ?? '') };
}

/** A backend of several queues has one line for each. */
function withQueue(backend: BackendFact, info: string): BackendFact {
  return { ...backend, fds: [...backend.fds, ...fdsFact(valueOf(info, 'fd') ?? '')] };
}

function valueOf(info: string, key: string): string | null {
  const part = info.split(',').find((one) => one.startsWith(`${key}=`));
  return part === undefined ? null : part.slice(key.length + 1);
}

function portsOf(hubs: readonly ReadonlyMap<string, string | null>[]): Map<string, string[]> {
  const ports = new Map<string, string[]>();
  for (const hub of hubs) {
    for (const port of hub.keys()) {
      ports.set(
        port,
        [...hub].flatMap(([other, at]) => (other === port || at === null ? [] : [at])),
      );
    }
  }
  return ports;
}
