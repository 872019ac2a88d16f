import type { Problem } from '../../../api/manifest.ts';
import type { AttachmentIntent, NetworkPlan, PlannedCondition } from '../../../controller/vmnetwork/plan.ts';
import { guestOrder } from '../../guest/guest-order.ts';
import type { GuestOrder, PresharedKeyOffer } from '../../guest/guest-order.ts';
import { cardKeyOf } from '../../wiring/card-key.ts';
import type { CardIntent, DeclaredNetwork, Wanted } from '../wanted.ts';
import type { JudgedAttachment } from './judge.ts';
import type { WishedAttachment } from './wishes.ts';

/**
 * What the judged attachments come to for this host. Taps are not made for them: a card that is not here is somebody's report
 * that is late. Pure.
 *
 * @param presharedKeyOf what its guest is given besides its own key
 * @param complete the wishes are all that there are; see Wanted
 */
export function clusterWanted(
  judged: readonly JudgedAttachment[],
  complete: boolean,
  problems: readonly Problem[],
  presharedKeyOf: (attachment: WishedAttachment) => PresharedKeyOffer,
): Wanted {
  const networks = declaredNetworks(judged);
  const guests = guestOrders(judged, presharedKeyOf);
  const rotations = rotationsOf(judged);
  const cards = cardIntents(judged);
  return { attachments: intents(judged), cards, guests, rotations, networks, complete, problems };
}

function rotationsOf(judged: readonly JudgedAttachment[]): Map<string, string> {
  return new Map(
    judged.flatMap(({ attachment: { saved, deleting }, network }) =>
      network === null || deleting || saved.rotation === undefined
        ? []
        : [[network, saved.rotation] as const],
    ),
  );
}

/** Of what is refused, nothing new is told. */
function guestOrders(
  judged: readonly JudgedAttachment[],
  presharedKeyOf: (attachment: WishedAttachment) => PresharedKeyOffer,
): Map<string, GuestOrder> {
  const orders = new Map<string, GuestOrder>();
  for (const { attachment, place, intent } of judged) {
    const { card, spec } = attachment;
    if (card === null || spec === null || intent === null || place.at !== 'found') continue;
    const order = guestOrder(spec.policy, presharedKeyOf(attachment), {
      rotation: attachment.saved.rotation,
    });
    if (order !== null) orders.set(cardKeyOf(card), order);
  }
  return orders;
}

/** One for each attachment of a card that is not on a tap of ours; where two are for one card, each is refused already. */
function cardIntents(judged: readonly JudgedAttachment[]): CardIntent[] {
  return judged.flatMap(({ attachment, place, network, intent, refusal }) => {
    if (place.at === 'tap' || attachment.card === null) return [];
    return [
      { ...attachment.card, intent, network, reason: refusal?.message ?? 'it cannot be enforced here' },
    ];
  });
}

/** One for each VM; where several attachments are for it, all of them are refused. */
function intents(judged: readonly JudgedAttachment[]): AttachmentIntent[] {
  const byVm = new Map<string, AttachmentIntent>();
  for (const { attachment, place, network, intent, refusal } of judged) {
    if (place.at !== 'tap' || attachment.card === null) continue;
    const { vmId: vm } = attachment.card;
    const isDisputed = byVm.has(vm);
    byVm.set(vm, {
      vm,
      intent: isDisputed ? null : intent,
      network: isDisputed ? null : network,
      reason: refusal?.message ?? '',
    });
  }
  return [...byVm.values()].sort((a, b) => (a.vm < b.vm ? -1 : 1));
}

/** The networks that this host knows of, by its attachments. */
function declaredNetworks(judged: readonly JudgedAttachment[]): DeclaredNetwork[] {
  const byKey = new Map<string, DeclaredNetwork>();
  for (const { attachment, network, refusal } of judged) {
    const { spec, key, deleting, namespace } = attachment;
    if (spec === null || network === null || deleting) continue;
    const { policy } = spec;
    const before = byKey.get(network);
    const plan: NetworkPlan = {
      key: network,
      namespace,
      name: policy.network,
      mode: policy.mode,
      endpoint: policy.consumerEndpoint ?? null,
      accepted:
        refusal === null
          ? (before?.plan.accepted ?? { ...ACCEPTED })
          : { type: 'Accepted', status: 'False', reason: refusal.reason, message: refusal.message },
      bound: BOUND,
      vms: [...(before?.plan.vms ?? []), spec.vm.id].sort(),
    };
    const { desiredState, enforcement, mode } = policy;
    const sampling = policy.sampling === undefined ? {} : { sampling: policy.sampling };
    byKey.set(network, {
      plan,
      file: before?.file ?? `VMNetworkAttachment ${key}`,
      generation: Math.max(before?.generation ?? 0, spec.policyGeneration),
      spec: { desiredState, enforcement, mode, ...sampling },
    });
  }
  return [...byKey.values()].sort((a, b) => (a.plan.key < b.plan.key ? -1 : 1));
}

const ACCEPTED: PlannedCondition = {
  type: 'Accepted',
  status: 'True',
  reason: 'Accepted',
  message: 'the spec is valid and can be enforced',
};

const BOUND: PlannedCondition = {
  type: 'Bound',
  status: 'True',
  reason: 'Bound',
  message: 'no other network claims these VMs',
};
