/** Metrics as a process serves them and as docs/metrics.md lists them, in one form: `NAME TYPE LABEL,LABEL`, sorted. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PAGE = join(import.meta.dirname, '../../docs/metrics.md');

export function metricsPage(): string {
  return readFileSync(PAGE, 'utf8');
}

/** @param text the text format of Prometheus; a family without samples has no labels that could be seen */
export function servedMetrics(text: string): string[] {
  const families = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => {
    const samples = text.matchAll(new RegExp(`^${name}(?:_bucket)?\\{([^\n]*)\\} `, 'gm'));
    const labels = [...samples].flatMap(([, list = '']) =>
      [...list.matchAll(/(\w+)="/g)].map(([, it]) => it),
    );
    return line(
      name,
      type,
      [...new Set(labels)].filter((label) => label !== 'le'),
    );
  });
  return families.sort();
}

/** Of the table in docs/metrics.md. */
export function documentedMetrics(): string[] {
  const rows = metricsPage().matchAll(/^\| `(\w+)` \| (\w+) \|([^|]*)\| [^|]+ \| [^|]+ \|$/gm);
  return [...rows]
    .map(([, name = '', type = '', labels = '']) => line(name, type, labels.match(/\w+/g) ?? []))
    .sort();
}

/** Of those, what the controller serves. */
export function documentedOfController(): string[] {
  return documentedMetrics().filter((one) => !one.startsWith('vmnetwork_agent_'));
}

function line(name: string, type: string, labels: readonly (string | undefined)[]): string {
  return `${name} ${type} ${[...labels].sort().join(',')}`;
}
