import { keyOf, planVmNetworks } from '../../controller/vmnetwork/plan.ts';
import type { AttachmentIntent } from '../../controller/vmnetwork/plan.ts';
import type { HostVm, VmDirectory } from '../discovery/directory.ts';
import { cardKeyOf } from '../wiring/card-key.ts';
import { ManifestFolder } from './manifest-folder.ts';
import type { ManifestSet } from './manifest-set.ts';
import type { IntentSource, SourcePorts } from './source.ts';
import type { CardIntent, HostView, Wanted } from './wanted.ts';

/** The wishes of a folder of manifests. Status goes to the agent's socket only. */
export class ManifestSource implements IntentSource {
  readonly #folder: ManifestFolder;
  readonly #vms: Pick<VmDirectory, 'list'>;

  constructor(dir: string, { onChange, vms }: Pick<SourcePorts, 'onChange' | 'vms'>) {
    this.#vms = vms;
    this.#folder = new ManifestFolder({ dir, onChange });
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
  { nodeName, holders, cards }: Pick<HostView, 'nodeName' | 'holders' | 'cards'>,
  vms: readonly HostVm[] = [],
): Wanted {
  const { networks, classes, classesInDoubt, complete, problems } = set;
  const plan = planVmNetworks({
    networks: networks.map(({ network }) => network),
    classes,
    classesInDoubt,
    nodeName,
    holders,
  });
  const sources = new Map(networks.map((source) => [keyOf(source.network), source]));
  return {
    attachments: plan.attachments,
    cards: cardIntents(plan, vms, cards),
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

/** Of the cards that are here, and of those that may come back: what is declared for them keeps their addresses. */
function cardIntents(
  { attachments, networks }: Pick<ReturnType<typeof planVmNetworks>, 'attachments' | 'networks'>,
  vms: readonly HostVm[],
  recorded: HostView['cards'],
): CardIntent[] {
  const named = attachments.flatMap((attachment) => cardsNamed(attachment, vms));
  const here = new Set(named.map(cardKeyOf));
  const declared = new Set(networks.map(({ key }) => key));
  const away = [...recorded].flatMap(([key, { vmId, mac, network }]): CardIntent[] => {
    if (here.has(key) || network === null || !declared.has(network)) return [];
    return [{ vmId, mac, intent: null, network, reason: 'no network names this VM as it is now' }];
  });
  return [...named, ...away];
}

/** The cards of the VM of that name that somebody else started, if there is one and not two. */
function cardsNamed(
  { vm: name, intent, network, reason }: AttachmentIntent,
  vms: readonly HostVm[],
): CardIntent[] {
  const named = vms.filter(({ reported }) => reported.name === name);
  const twins = `${named.length} VMs of this host have the name ${name}`;
  const said =
    named.length > 1 ? { intent: null, network: null, reason: twins } : { intent, network, reason };
  return named.flatMap(({ reported, cards }) =>
    // Those on taps of ours are wished for by the name of the VM; see OwnVms.
    cards.flatMap(({ mac, pid }) =>
      mac === '' || pid === null ? [] : [{ vmId: reported.id, mac, ...said }],
    ),
  );
}
