import { z } from 'zod';
import { type CardFact, macFact, MOST_CARDS, uuidFact, type VmFacts } from '../facts.ts';
import { type QmpClient, QmpError } from './client.ts';
import { type NetworkText, readNetworkText } from './network-text.ts';

type Asked = Pick<QmpClient, 'execute'>;

/** Where QOM keeps devices: with an id, without one, and those that the machine has by itself. */
const PLUGGED = ['/machine/peripheral', '/machine/peripheral-anon'];
const ON_BOARD = '/machine/unattached';
const MOST_DEVICES = 1024;

const nameAnswer = z.object({ name: z.string().optional() });
const uuidAnswer = z.object({ UUID: z.string() });
const listAnswer = z.array(z.object({ name: z.string(), type: z.string() }));
const textAnswer = z.string();

/**
 * Asks a QEMU who it is and which cards it has now. Only commands that change nothing: query-rx-filter, which would tell MAC
 * addresses too, is not among them, for it rearms an event that the monitor's owner may wait for, and tells addresses that
 * the guest chose. Rejects with QmpError when the session ended.
 */
export async function askVm(client: Asked): Promise<VmFacts> {
  const [name, uuid, text] = await Promise.all([
    answer(client, nameAnswer, 'query-name'),
    answer(client, uuidAnswer, 'query-uuid'),
    answer(client, textAnswer, 'human-monitor-command', { 'command-line': 'info network' }),
  ]);
  const network = readNetworkText(text ?? '');
  return {
    name: name?.name ?? null,
    uuid: uuidFact(uuid?.UUID),
    cards: await cardsOf(client, network),
    backends: network.backends,
  };
}

async function cardsOf(client: Asked, network: NetworkText): Promise<CardFact[]> {
  const devices = await Promise.all([
    ...PLUGGED.map((folder) => devicesIn(client, folder, () => true)),
    devicesIn(client, ON_BOARD, (kind) => network.models.has(kind)),
  ]);
  const cards = await Promise.all(
    devices
      .flat()
      .slice(0, MOST_DEVICES)
      .map((device) => cardOf(client, network, device)),
  );
  return cards.flatMap((card) => card ?? []).slice(0, MOST_CARDS);
}

interface Device {
  readonly path: string;
  readonly kind: string;
}

async function devicesIn(
  client: Asked,
  folder: string,
  wanted: (kind: string) => boolean,
): Promise<Device[]> {
  const children = (await answer(client, listAnswer, 'qom-list', { path: folder })) ?? [];
  return children.flatMap(({ name, type }) => {
    const [, kind = ''] = /^child<(.+)>$/.exec(type) ?? [];
    return kind !== '' && wanted(kind) ? [{ path: `${folder}/${name}`, kind }] : [];
  });
}

/** Null for a device that is no card: those have the property `netdev`. */
async function cardOf(client: Asked, network: NetworkText, { path, kind }: Device): Promise<CardFact | null> {
  const netdev = await answer(client, textAnswer, 'qom-get', { path, property: 'netdev' });
  if (netdev === null) return null;
  const mac = await answer(client, textAnswer, 'qom-get', { path, property: 'mac' });
  const backends = network.ports.get(netdev) ?? (netdev === '' ? [] : [netdev]);
  return { device: kind, mac: macFact(mac ?? ''), backends };
}

/** Null when QEMU refuses, or answers in another shape. */
async function answer<T>(
  client: Asked,
  shape: z.ZodType<T>,
  command: string,
  given: Readonly<Record<string, unknown>> = {},
): Promise<T | null> {
  try {
    const parsed = shape.safeParse(await client.execute(command, given));
    return parsed.success ? parsed.data : null;
  } catch (error) {
    if (error instanceof QmpError && error.refused) return null;
    throw error;
  }
}
