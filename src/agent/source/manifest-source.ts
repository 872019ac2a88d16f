import { keyOf, planVmNetworks } from '../../controller/vmnetwork/plan.ts';
import { ManifestFolder } from './manifest-folder.ts';
import type { ManifestSet } from './manifest-set.ts';
import type { IntentSource, SourcePorts } from './source.ts';
import type { HostView, Wanted } from './wanted.ts';

/** The wishes of a folder of manifests. Status goes to the agent's socket only. */
export class ManifestSource implements IntentSource {
  readonly #folder: ManifestFolder;

  constructor(dir: string, { onChange }: Pick<SourcePorts, 'onChange'>) {
    this.#folder = new ManifestFolder({ dir, onChange });
  }

  start(): void {
    this.#folder.start();
  }

  wanted(host: HostView): Wanted {
    return wantedOf(this.#folder.current(), host);
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
  { nodeName, holders }: Pick<HostView, 'nodeName' | 'holders'>,
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
