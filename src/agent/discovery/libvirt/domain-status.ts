import { type BackendFact, type CardFact, macFact, MOST_CARDS, uuidFact, type VmFacts } from '../facts.ts';
import { readXml, type XmlPart } from './xml.ts';

/** What libvirt keeps of a running domain (`/run/libvirt/qemu/NAME.xml`), up to date with what was plugged. */
export interface DomainStatus {
  /** Of QEMU, in libvirt's own process namespace. */
  readonly pid: number;
  readonly facts: VmFacts;
}

const DOMAIN = 'domstatus/domain';
const INTERFACE = `${DOMAIN}/devices/interface`;

/** libvirt's type of an interface to QEMU's kind of backend; the rest are the same words, or have no interface either way. */
const KINDS: Readonly<Record<string, string>> = {
  ethernet: 'tap',
  bridge: 'tap',
  network: 'tap',
  direct: 'macvtap',
  vhostuser: 'vhost-user',
  vdpa: 'vhost-vdpa',
};

interface Interface {
  type: string;
  mac: string | undefined;
  target: string | undefined;
  alias: string | undefined;
  model: string | undefined;
}

/** Null when the text is no status of a running domain. Never throws. */
export function readDomainStatus(text: string): DomainStatus | null {
  let pid: number | null = null;
  let name: string | null = null;
  let uuid: string | null = null;
  const interfaces: Interface[] = [];
  for (const part of readXml(text)) {
    if (part.kind === 'close') continue;
    if (part.path.startsWith(INTERFACE)) {
      readInterface(part, interfaces);
    } else if (part.kind === 'open') {
      if (part.path === 'domstatus') pid = pidOf(part.attributes.get('pid'));
    } else if (part.path === `${DOMAIN}/name`) name ??= part.text;
    else if (part.path === `${DOMAIN}/uuid`) uuid ??= uuidFact(part.text);
  }
  if (pid === null || name === null) return null;
  return { pid, facts: { name, uuid, ...networkOf(interfaces.slice(0, MOST_CARDS)) } };
}

function readInterface(part: XmlPart, interfaces: Interface[]): void {
  if (part.kind !== 'open') return;
  const below = part.path.slice(INTERFACE.length);
  const { attributes } = part;
  if (below === '') {
    const type = attributes.get('type') ?? '';
    interfaces.push({ type, mac: undefined, target: undefined, alias: undefined, model: undefined });
    return;
  }
  const current = interfaces.at(-1);
  if (current === undefined) return;
  if (below === '/mac') current.mac = attributes.get('address');
  else if (below === '/target') current.target = attributes.get('dev');
  else if (below === '/alias') current.alias = attributes.get('name');
  else if (below === '/model') current.model = attributes.get('type');
  // What a libvirt network came to be for this domain.
  else if (below === '/actual') current.type = attributes.get('type') ?? current.type;
  else if (below === '/backend' && attributes.get('type') === 'passt') current.type = 'passt';
}

function networkOf(interfaces: readonly Interface[]): { cards: CardFact[]; backends: BackendFact[] } {
  const backends: BackendFact[] = [];
  const cards = interfaces.map(({ type, mac, target, alias, model }, at): CardFact => {
    const card = { device: model ?? 'card', mac: macFact(mac) };
    if (type === 'hostdev') return { ...card, backends: [], passthrough: true };
    // As libvirt names the netdev of the device `alias` (qemuBuildHostNetProps).
    const id = `host${alias ?? `#${at}`}`;
    backends.push({ id, kind: KINDS[type] ?? type, interface: target ?? null, fds: [] });
    return { ...card, backends: [id] };
  });
  return { cards, backends };
}

function pidOf(text: string | undefined): number | null {
  return text !== undefined && /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
}
