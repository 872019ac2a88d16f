import { conditionOf, type Attachment, type Network } from '../../test/support/scripted-agent/objects.ts';

interface Seen {
  /** Its status says Bound of the spec as it is now, with one card. */
  claims: boolean;
  ready: boolean;
  readonly attachments: Map<string, Attachment>;
}

/** How far the networks have come, as the API server tells it. Each note costs the same however many there are. */
export class Tally {
  #bound = 0;
  #ready = 0;
  readonly #networks = new Map<string, Seen>();

  /** Networks that have an attachment and say so in their status. */
  get bound(): number {
    return this.#bound;
  }

  get ready(): number {
    return this.#ready;
  }

  isBound(key: string): boolean {
    return isBound(this.#seen(key));
  }

  get attachments(): Attachment[] {
    return [...this.#networks.values()].flatMap(({ attachments }) => [...attachments.values()]);
  }

  noteNetwork(network: Network): void {
    const { metadata, status } = network;
    const current = (type: string): boolean => {
      const condition = conditionOf(network, type);
      return condition?.status === 'True' && condition.observedGeneration === metadata.generation;
    };
    this.#change(keyIn(metadata.namespace, metadata.name), (seen) => {
      seen.claims = current('Bound') && status?.attachments?.desired === 1;
      seen.ready = current('Ready');
    });
  }

  noteAttachment(type: string, attachment: Attachment): void {
    const { metadata, spec } = attachment;
    this.#change(keyIn(metadata.namespace, spec.policy.network), ({ attachments }) => {
      if (type === 'DELETED') attachments.delete(metadata.name);
      else attachments.set(metadata.name, attachment);
    });
  }

  #change(key: string, change: (seen: Seen) => void): void {
    const seen = this.#seen(key);
    const before = { bound: isBound(seen), ready: seen.ready };
    change(seen);
    this.#bound += Number(isBound(seen)) - Number(before.bound);
    this.#ready += Number(seen.ready) - Number(before.ready);
  }

  #seen(key: string): Seen {
    const present = this.#networks.get(key);
    if (present !== undefined) return present;
    const seen: Seen = { claims: false, ready: false, attachments: new Map() };
    this.#networks.set(key, seen);
    return seen;
  }
}

export function keyIn(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}

function isBound({ claims, attachments }: Seen): boolean {
  return claims && attachments.size > 0;
}
