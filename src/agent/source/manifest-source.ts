import { rotationAsked } from '../../controller/vmnetwork/plan/rotation-asked.ts';
import { keyOf, planVmNetworks } from '../../controller/vmnetwork/plan.ts';
import type { FoundIntent, FoundVm } from '../../controller/vmnetwork/plan.ts';
import type { HostVm, VmDirectory } from '../discovery/directory.ts';
import { cardKeyOf } from '../wiring/card-key.ts';
import { identityOf } from '../wiring/identity.ts';
import { manifestGuests } from './manifest-guests.ts';
import { ManifestFolder } from './manifest-folder.ts';
import type { ManifestSet } from './manifest-set.ts';
import type { IntentSource, SourcePorts } from './source.ts';
import type { CardIntent, HostView, Wanted } from './wanted.ts';

/** The wishes of a folder of manifests. Status goes to the agent's socket only. */
export class ManifestSource implements IntentSource {
  readonly #folder: ManifestFolder;
  readonly #vms: Pick<VmDirectory, 'list'>;

  constructor(dir: string, { onChange, vms }: Pick<SourcePorts, 'onChange' | 'vms'>, rescanMs: number) {
    this.#vms = vms;
    this.#folder = new ManifestFolder({ dir, onChange, rescanMs });
  }

  start(): void {
    this.#folder.start();
  }

  wanted(host: HostView): Wanted {
    return wantedOf(this.#folder.current(), host, this.#vms.list());
  }

  passed(): void {
    // Nobody else is to be told.
  }

  failed(): void {
    // Likewise.
  }

  violated(): void {
    // Likewise.
  }

  close(): Promise<void> {
    this.#folder.close();
    return Promise.resolve();
  }
}

/** What the manifests come to on this host. Pure. */
export function wantedOf(
  set: ManifestSet,
  { nodeName, holders, cards, heldTaps }: Pick<HostView, 'nodeName' | 'holders' | 'cards' | 'heldTaps'>,
  vms: readonly HostVm[] = [],
): Wanted {
  const { networks, classes, classesInDoubt, complete, problems } = set;
  const plan = planVmNetworks({
    networks: networks.map(({ network }) => network),
    classes,
    classesInDoubt,
    nodeName,
    holders,
    found: foundVms(vms, cards, heldTaps),
  });
  const sources = new Map(networks.map((source) => [keyOf(source.network), source]));
  const named = cardIntents(plan, vms, cards);
  return {
    attachments: plan.attachments,
    cards: named,
    guests: manifestGuests(named, cards, new Map(networks.map(({ network }) => [keyOf(network), network]))),
    rotations: new Map(
      networks.flatMap(({ network }) => {
        const asked = rotationAsked(network.metadata.annotations);
        return asked === undefined ? [] : [[keyOf(network), asked] as const];
      }),
    ),
    networks: plan.networks.flatMap((planned) => {
      const source = sources.get(planned.key);
      if (source === undefined) return [];
      const { file, network } = source;
      return [{ plan: planned, file, generation: network.metadata.generation, spec: network.spec }];
    }),
    complete,
    problems,
  };
}

function foundVms(
  vms: readonly HostVm[],
  recorded: HostView['cards'],
  heldTaps: HostView['heldTaps'],
): FoundVm[] {
  const holders = new Map([...recorded.values()].map(({ vmId, network }) => [vmId, network]));
  return vms.filter(isFound).map((vm) => {
    const { id, name, uuid = null } = vm.reported;
    const needsNoTap = isElsewhere(vm) && !heldTaps.has(identityOf(name).tap);
    return { id, name, uuid, holder: holders.get(id) ?? null, needsNoTap };
  });
}

/** Each of its cards is known to be on an interface that others made. */
function isElsewhere({ cards }: HostVm): boolean {
  return cards.every(({ pid, link }) => pid !== null && link !== null);
}

/** Those on taps of ours are wished for by the name of the VM; see OwnVms. */
function isFound({ cards }: HostVm): boolean {
  return cards.some(({ pid }) => pid !== null);
}

/** Of the cards that are here, and of those that may come back: what is declared for them keeps their addresses. */
function cardIntents(
  { found, networks }: Pick<ReturnType<typeof planVmNetworks>, 'found' | 'networks'>,
  vms: readonly HostVm[],
  recorded: HostView['cards'],
): CardIntent[] {
  const named = found.flatMap((intent) => cardsOf(intent, vms));
  const here = new Set(named.map(cardKeyOf));
  const declared = new Set(networks.map(({ key }) => key));
  const away = [...recorded].flatMap(([key, { vmId, mac, network }]): CardIntent[] => {
    if (here.has(key) || network === null || !declared.has(network)) return [];
    return [{ vmId, mac, intent: null, network, reason: 'no network selects this VM as it is now' }];
  });
  return [...named, ...away];
}

/** The cards of a VM that somebody else started. One that is meant by its name must be the only one of that name. */
function cardsOf({ vmId, byUuid, ...wish }: FoundIntent, vms: readonly HostVm[]): CardIntent[] {
  const vm = vms.find(({ reported }) => reported.id === vmId);
  if (vm === undefined) return [];
  const { name } = vm.reported;
  const twins = vms.filter(({ reported }) => reported.name === name).length;
  const reason = `${twins} VMs of this host have the name ${name}: select them by uuid`;
  const said = byUuid || twins === 1 ? wish : { intent: null, network: null, reason };
  return vm.cards.flatMap(({ mac, pid, unsupported }) => {
    if (mac === '' || pid === null) return [];
    if (unsupported === null) return [{ vmId, mac, ...said }];
    return [{ vmId, mac, ...said, intent: null, reason: unsupported, unsupported: true }];
  });
}
