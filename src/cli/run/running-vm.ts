import type { VmNetwork } from '../../api/v1alpha1/vm-network.ts';
import { chooseNetwork, chooseVm } from '../manifest/network-file.ts';
import { usageError } from '../usage-error.ts';
import { guestNameOf } from './qemu-command.ts';

/** The options that choose. */
export interface VmChoice {
  readonly network?: string;
  readonly vm?: string;
}

/**
 * Which VM of which network a QEMU command is to be: `--vm`, else `-name guest=`, else the only one there is. The agent
 * knows VMs by the name that QEMU goes by, so the two must not differ. Throws VMN_USAGE.
 */
export function runningVm(
  networks: readonly VmNetwork[],
  choice: VmChoice,
  command: readonly string[],
): { vm: string; network: VmNetwork } {
  const guestName = guestNameOf(command);
  if (choice.vm !== undefined && guestName !== null && choice.vm !== guestName) {
    const fault = `--vm ${choice.vm} and QEMU's -name guest=${guestName} differ`;
    throw usageError(fault, 'Leave one of the two out.');
  }
  const name = choice.vm ?? guestName ?? undefined;
  const selecting =
    name === undefined ? [] : networks.filter(({ spec }) => spec.selector.names.includes(name));
  const network = chooseNetwork(selecting.length > 0 ? selecting : networks, choice.network);
  return { vm: chooseVm(network, name), network };
}
