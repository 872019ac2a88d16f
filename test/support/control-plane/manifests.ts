import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { poll } from '../lab/index.ts';
import type { ApiCaller } from './api-caller.ts';

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    finalizers?: string[];
  };
}

interface ApiResource {
  name: string;
  kind: string;
  namespaced: boolean;
}

const APPLY = { contentType: 'application/apply-patch+yaml' };

export function parseManifests(yaml: string): Manifest[] {
  return parseAllDocuments(yaml)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);
}

/** Server-side apply, forced, one after the other. CRDs are served before anything that follows them is applied. */
export async function applyObjects(
  api: ApiCaller,
  manifests: string | readonly object[],
  namespace: string,
): Promise<void> {
  const objects = typeof manifests === 'string' ? parseManifests(manifests) : (manifests as Manifest[]);
  let definitions: string[] = [];
  // Together: each of them takes two seconds, the time of a new watch cache.
  const untilAllServed = async (): Promise<void> => {
    await Promise.all(definitions.map((name) => untilServed(api, name)));
    definitions = [];
  };
  for (const object of objects) {
    const isDefinition = object.kind === 'CustomResourceDefinition';
    if (!isDefinition) await untilAllServed();
    const path = await pathOf(api, object, namespace);
    await api.must('PATCH', `${path}?fieldManager=test&force=true`, object, APPLY);
    if (isDefinition) definitions.push(object.metadata.name);
  }
  await untilAllServed();
}

/** All objects in the YAML files of a folder, in the order of the files' names. */
export function manifestsIn(folder: string): Manifest[] {
  return readdirSync(folder)
    .filter((file) => /\.ya?ml$/.test(file))
    .sort()
    .flatMap((file) => parseManifests(readFileSync(join(folder, file), 'utf8')));
}

async function pathOf(api: ApiCaller, object: Manifest, namespace: string): Promise<string> {
  const { apiVersion, kind, metadata } = object;
  const version = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  // Asked each time: what is served changes with every CRD, and the server answers in a millisecond.
  const { resources } = await api.must<{ resources: ApiResource[] }>('GET', version);
  const resource = resources.find((one) => one.kind === kind && !one.name.includes('/'));
  if (resource === undefined) throw new Error(`the server has no ${kind} in ${apiVersion}`);
  const place = resource.namespaced ? `/namespaces/${metadata.namespace ?? namespace}` : '';
  return `${version}${place}/${resource.name}/${encodeURIComponent(metadata.name)}`;
}

interface Definition {
  spec: { group: string; names: { plural: string }; versions: { name: string; served: boolean }[] };
  status?: { conditions?: { type: string; status: string }[] };
}

/** `Established` comes a moment before the resource answers, so that is asked too. */
async function untilServed(api: ApiCaller, name: string): Promise<void> {
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`;
  await poll(`the CRD ${name} to be served`, async () => {
    const { spec, status } = await api.must<Definition>('GET', path);
    const isEstablished = status?.conditions?.some(
      (condition) => condition.type === 'Established' && condition.status === 'True',
    );
    if (isEstablished !== true) return false;
    for (const version of spec.versions.filter(({ served }) => served)) {
      const collection = `/apis/${spec.group}/${version.name}/${spec.names.plural}?limit=1`;
      if ((await api.call('GET', collection)).status !== 200) return false;
    }
    return true;
  });
}
