import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentHome } from './agent-process.ts';
import { manifestText, type ManifestFields } from './manifest.ts';

/** As `apply`, for a network of another mode than Filtered. */
export function applyMode(home: AgentHome, mode: string, fields: ManifestFields): void {
  const draft = join(home.manifests, `.${fields.name}.draft`);
  writeFileSync(draft, manifestText(fields).replace('mode: Filtered', `mode: ${mode}`));
  renameSync(draft, join(home.manifests, `${fields.name}.yaml`));
}
