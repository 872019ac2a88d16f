import type { ApiClient } from '../../test/support/scripted-agent/api-client.ts';
import { NETWORKS } from '../../test/support/scripted-agent/kinds.ts';
import type { Network } from '../../test/support/scripted-agent/objects.ts';
import { isOfLeadership, type AuditedRequest, type AuditLog } from './audit-log.ts';
import type { Census } from './census.ts';
import type { Change } from './figures.ts';
import type { Subject } from './subject.ts';
import { keyIn } from './tally.ts';

interface Scene {
  client: ApiClient;
  census: Census;
  audit: AuditLog;
  subject: Subject;
  signal: AbortSignal;
}

/** One network after the other is created beside a fleet at rest; before each, what a plain request takes just then. */
export async function measureChanges(
  scene: Scene,
  networks: readonly Network[],
  bystander: Network,
): Promise<Change[]> {
  const changes: Change[] = [];
  for (const network of networks) changes.push(await measureChange(scene, network, bystander));
  return changes;
}

/** `bystander`: a network that is there, to be read and written; what is written means nothing to the controller. */
async function measureChange(scene: Scene, network: Network, bystander: Network): Promise<Change> {
  const { client, census, audit, subject, signal } = scene;
  const { namespace = '', name } = network.metadata;
  const place = { namespace: bystander.metadata.namespace ?? '', name: bystander.metadata.name };
  const readMs = await timed(() => client.get(NETWORKS, place));
  // Another value each time: what changes nothing is not written.
  const label = { metadata: { labels: { round: name } } };
  const writeMs = await timed(() => client.mergePatch(NETWORKS, place, label));
  await subject.idle(0, signal);
  audit.skip();
  const key = keyIn(namespace, name);
  const boundMs = await timed(async () => {
    await client.create(NETWORKS, network);
    await census.until(() => census.tally.isBound(key), signal);
  });
  await subject.idle(0, signal);
  return { boundMs, readMs, writeMs, requests: audit.read().filter(isWaitedFor).length };
}

function isWaitedFor(request: AuditedRequest): boolean {
  return request.resource !== 'events' && !isOfLeadership(request);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
