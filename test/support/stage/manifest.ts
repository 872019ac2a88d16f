import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentHome } from './agent-process.ts';
import type { Destination } from '../frames/policy-bytes.ts';

export interface ManifestFields {
  name: string;
  /** The VM's name; the network's own unless said otherwise. */
  vm?: string;
  endpoint?: Destination;
  annotations?: Readonly<Record<string, string>>;
  /** More lines under `spec`, as YAML. */
  more?: readonly string[];
}

/** A Filtered VMNetwork for one VM, as a user writes it. */
export function manifestText({
  name,
  vm = name,
  endpoint,
  annotations = {},
  more = [],
}: ManifestFields): string {
  const lines = [
    'apiVersion: vmnetwork.io/v1alpha1',
    'kind: VMNetwork',
    `metadata: {name: ${name}, namespace: tenant, annotations: ${JSON.stringify(annotations)}}`,
    'spec:',
    '  mode: Filtered',
    `  selector: {names: [${vm}]}`,
  ];
  if (endpoint !== undefined) {
    lines.push(`  consumerEndpoint: {address: ${endpoint.address}, port: ${String(endpoint.port)}}`);
  }
  return `${[...lines, ...more.map((line) => `  ${line}`)].join('\n')}\n`;
}

/** Writes, or replaces in one step, the file of a network. */
export function apply(home: AgentHome, fields: ManifestFields): void {
  const file = join(home.manifests, `${fields.name}.yaml`);
  const draft = join(home.manifests, `.${fields.name}.draft`);
  writeFileSync(draft, manifestText(fields));
  renameSync(draft, file);
}

/** Removes the file of a network. */
export function withdraw(home: AgentHome, name: string): void {
  rmSync(join(home.manifests, `${name}.yaml`), { force: true });
}
