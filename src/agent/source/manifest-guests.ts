import { rotationAsked } from '../../controller/vmnetwork/plan/rotation-asked.ts';
import type { VmNetwork } from '../../api/v1alpha1/vm-network.ts';
import { guestOrder } from '../guest/guest-order.ts';
import type { GuestOrder, GuestSaid } from '../guest/guest-order.ts';
import { cardKeyOf } from '../wiring/card-key.ts';
import type { CardIntent, HostView } from './wanted.ts';

/** What the manifests want the guests of found cards to be told, by what their records go by. Pure. */
export function manifestGuests(
  cards: readonly CardIntent[],
  recorded: HostView['cards'],
  networks: ReadonlyMap<string, VmNetwork>,
): Map<string, GuestOrder> {
  const orders = new Map<string, GuestOrder>();
  const owners = tunnelOwners(cards, recorded);
  for (const card of cards) {
    const network = networks.get(card.network ?? '');
    const owner = owners.get(card.network ?? '');
    if (card.intent === null || network === undefined || owner === undefined) continue;
    const order = guestOrder(
      network.spec,
      { kind: 'none' },
      {
        objection: objectionTo(card, network, owner),
        rotation: rotationAsked(network.metadata.annotations),
      },
    );
    if (order !== null) orders.set(cardKeyOf(card), order);
  }
  return orders;
}

/** A tunnel has one end in one guest: whoever was given it keeps it, else it is the first by name. */
function tunnelOwners(
  cards: readonly CardIntent[],
  recorded: HostView['cards'],
): ReadonlyMap<string, CardIntent> {
  const owners = new Map<string, CardIntent>();
  const rank = (card: CardIntent): string =>
    `${recorded.get(cardKeyOf(card))?.hasKey === true ? 0 : 1} ${card.vmId} ${card.mac}`;
  for (const card of cards) {
    if (card.intent === null || card.network === null) continue;
    const before = owners.get(card.network);
    if (before === undefined || rank(card) < rank(before)) owners.set(card.network, card);
  }
  return owners;
}

function objectionTo(card: CardIntent, { spec }: VmNetwork, owner: CardIntent): GuestSaid | null {
  if (spec.wireGuard.presharedKeySecretRef !== undefined) {
    const message =
      'its network has a pre-shared key in a Secret, which an agent without a cluster cannot read. Start the VM by `vmnetctl run --preshared-key-file`';
    return { status: 'False', reason: 'InvalidSecret', message };
  }
  return card === owner ? null : addressesTaken(spec.wireGuard.addresses, `VM ${owner.vmId}`);
}

function addressesTaken(addresses: readonly string[], holder: string): GuestSaid {
  const message = `${holder} has the addresses inside the tunnel, ${addresses.join(', ')}. Give this VM a VMNetwork of its own`;
  return { status: 'False', reason: 'AddressesTaken', message };
}
