import { rotationAsked } from '../../controller/vmnetwork/plan/rotation-asked.ts';
import type { VmNetwork } from '../../api/v1alpha1/vm-network.ts';
import { deliveryOf, hasTunnel } from '../../cloudinit/mapping/guest-input.ts';
import type { SeedOptions } from '../../cloudinit/documents/seed-documents.ts';
import { keyOf } from '../../controller/vmnetwork/plan.ts';
import { readPresharedKey } from '../../wireguard/preshared-key.ts';
import { InputError } from '../input-error.ts';
import { readInput } from '../read-input.ts';
import { usageError } from '../usage-error.ts';

/** The options of `vmnetctl run` that concern the seed. */
export interface SeedChoice {
  /** False: --no-seed. */
  readonly seed: boolean;
  readonly userData?: string;
  readonly presharedKeyFile?: string;
}

/** A seed that is to be made, and what its documents need besides the network and the VM. */
export interface SeedWish extends SeedOptions {
  readonly network: VmNetwork['spec'];
  readonly hasTunnel: boolean;
  /** Request for another key; see rotationAsked. */
  readonly rotation: string | undefined;
  /** Base64; secret. */
  readonly presharedKey: string | null;
}

/** As much as one document of a seed image may have. */
const USER_DATA_LIMIT = 16 * 1024 * 1024;
/** `wg genpsk` prints 45 bytes. */
const KEY_FILE_LIMIT = 64;

/**
 * What the guest is to be told at its boot; null: nothing. Throws VMN_USAGE for options that go with no seed or no tunnel, and for
 * a network whose pre-shared key is not given here; InputError for a file.
 */
export function seedWish(network: VmNetwork, choice: SeedChoice): SeedWish | null {
  const { spec } = network;
  const delivery = choice.seed ? deliveryOf(spec) : null;
  if (delivery === null) {
    demandNone(
      choice,
      choice.seed ? `VMNetwork ${keyOf(network)} gives its guest none` : '--no-seed is given',
    );
    return null;
  }
  return {
    network: spec,
    delivery,
    hasTunnel: hasTunnel(spec),
    rotation: rotationAsked(network.metadata.annotations),
    userData: choice.userData === undefined ? new Uint8Array() : readInput(choice.userData, USER_DATA_LIMIT),
    presharedKey: presharedKeyOf(network, choice),
  };
}

function demandNone({ userData, presharedKeyFile }: SeedChoice, why: string): void {
  const [option] = [
    ...(userData === undefined ? [] : ['--user-data']),
    ...(presharedKeyFile === undefined ? [] : ['--preshared-key-file']),
  ];
  if (option === undefined) return;
  throw usageError(`${option} is for the seed image, and ${why}`, `Leave ${option} out.`);
}

/** A tunnel without the key that its consumer expects would never come up. Agents and we read no Secret. */
function presharedKeyOf(network: VmNetwork, { presharedKeyFile: file }: SeedChoice): string | null {
  const { wireGuard } = network.spec;
  if (!hasTunnel(network.spec)) {
    if (file === undefined) return null;
    const fault = `--preshared-key-file is for a tunnel, and VMNetwork ${keyOf(network)} has no peerPublicKey`;
    throw usageError(
      fault,
      "Give wireGuard.peerPublicKey the consumer's public key, or leave the option out.",
    );
  }
  if (file !== undefined) return readKeyFile(file);
  if (wireGuard.presharedKeySecretRef === undefined) return null;
  throw usageError(
    `VMNetwork ${keyOf(network)} has a pre-shared key in a Secret, which is not read here`,
    'Give it with --preshared-key-file, or start the VM with --no-seed and provision it yourself.',
  );
}

function readKeyFile(file: string): string {
  const bytes = Buffer.from(readInput(file, KEY_FILE_LIMIT));
  const read = readPresharedKey(bytes.toString('base64'));
  bytes.fill(0);
  if (read.state === 'invalid') {
    throw new InputError(file, read.fault, 'Give a file with the output of `wg genpsk`.', 'refused');
  }
  const text = read.key.toString('base64');
  read.key.fill(0);
  return text;
}
