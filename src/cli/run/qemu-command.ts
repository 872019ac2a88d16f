import { usageError } from '../usage-error.ts';

/*
 * What `vmnetctl run` makes of the QEMU command line it is given: placeholders filled in, the VM's name and its one
 * network card added, and the seed image. Pure.
 */

/** What may stand in `{{…}}`. */
export interface PlaceholderValues {
  readonly address: string;
  readonly gateway: string;
  readonly mac: string;
  /** Null: the VM has none, but a userspace engine. */
  readonly tap: string | null;
  /** `address:port`; null when the VMNetwork has no endpoint. */
  readonly endpoint: string | null;
}

/** Options that would give the VM a card beside the filtered one, or hide one in a file. */
const NETWORK_OPTIONS = ['-netdev', '-nic', '-net', '-readconfig'];
/** Those for which `none` means no card; for the others it is a name. */
const TAKE_NONE = ['-nic', '-net'];

function isOption(argument: string, option: string): boolean {
  return argument === option || argument === `-${option}`;
}

/** The value of `-name`: `guest=NAME,…` or `NAME,…`; null without `-name`. A doubled comma is a comma. */
export function guestNameOf(command: readonly string[]): string | null {
  const at = command.findLastIndex((argument) => isOption(argument, '-name'));
  const value = at < 0 ? undefined : command[at + 1];
  if (value === undefined) return null;
  const parts = value.replaceAll(',,', '\0').split(',');
  const named = parts.find((part) => part.startsWith('guest='))?.slice('guest='.length);
  const bare = parts[0]?.includes('=') === true ? undefined : parts[0];
  const name = (named ?? bare)?.replaceAll('\0', ',');
  return name === undefined || name === '' ? null : name;
}

/**
 * Throws VMN_USAGE when the command has an option that adds a card, or may from a file. What else QEMU can do to the host
 * (-chardev, -device vfio-pci, …) is not judged: the command is the provider's.
 */
export function demandNoOtherNetwork(command: readonly string[]): void {
  for (const [at, argument] of command.entries()) {
    const option = NETWORK_OPTIONS.find((name) => isOption(argument, name));
    if (option === undefined || (TAKE_NONE.includes(option) && command[at + 1] === 'none')) continue;
    const remedy = `Remove ${option}: vmnetctl run adds the VM's only card.`;
    const given = `${argument} ${command[at + 1] ?? ''}`.trim();
    throw usageError(`${given} may add a network card that is not filtered`, remedy);
  }
}

/** Fills in `{{name}}`. Throws VMN_USAGE for a name that is not known or has no value here. */
export function fillPlaceholders(argument: string, values: PlaceholderValues): string {
  return argument.replaceAll(/\{\{(.*?)\}\}/gs, (whole, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name as keyof PlaceholderValues] : undefined;
    if (typeof value === 'string') return value;
    const known = Object.keys(values).map((key) => `{{${key}}}`);
    if (value === null) {
      const why =
        name === 'tap'
          ? 'With --engine userspace there is no tap.'
          : 'The VMNetwork has no consumerEndpoint.';
      throw usageError(`nothing to fill in for ${whole}`, why);
    }
    throw usageError(`${whole} is no name that is filled in`, `Known are ${known.join(' ')}.`);
  });
}

/**
 * The seed image as the last disk. Virtio, as the card is: a guest that has the one driver has the other, and some machines have
 * no other bus. By `if=`, so that it comes after all disks given so and takes the place of none.
 */
function seedDrive(path: string): string[] {
  return ['-drive', `if=virtio,format=raw,readonly=on,file=${path.replaceAll(',', ',,')}`];
}

/** To a tap that we made; or, once and at its start, to the guest's socket of a userspace engine. */
function netdev({ tap }: PlaceholderValues, engine: string | null): string {
  if (engine === null) return `tap,id=vmn0,ifname=${tap ?? ''},script=no,downscript=no,vhost=off`;
  return `stream,id=vmn0,server=off,addr.type=unix,addr.path=${engine.replaceAll(',', ',,')}`;
}

/**
 * The whole command to start, program first. Throws VMN_USAGE.
 * @param seed absolute path of the seed image; null: there is none
 * @param engine absolute path of the guest's socket of a userspace engine; null: the card is on the tap
 */
export function qemuCommand(
  command: readonly string[],
  vm: string,
  values: PlaceholderValues,
  seed: string | null = null,
  engine: string | null = null,
): string[] {
  demandNoOtherNetwork(command);
  const filled = command.map((argument, at) => (at === 0 ? argument : fillPlaceholders(argument, values)));
  const name = guestNameOf(filled) === null ? ['-name', `guest=${vm}`] : [];
  return [
    ...filled,
    ...name,
    '-netdev',
    netdev(values, engine),
    '-device',
    `virtio-net-pci,netdev=vmn0,mac=${values.mac}`,
    ...(seed === null ? [] : seedDrive(seed)),
  ];
}
