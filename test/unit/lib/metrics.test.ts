import { expect, test } from '@jest/globals';
import { EVENT_OUTCOMES, Metrics, RECONCILE_RESULTS } from '../../../src/lib/metrics.ts';
import {
  documentedMetrics,
  documentedOfController,
  metricsPage,
  servedMetrics,
} from '../../support/metrics-text.ts';

function registered(): Promise<string> {
  const metrics = new Metrics();
  metrics.queue('vmnetwork', () => ({ depth: 0, unfinishedWorkSeconds: 0, longestRunningSeconds: 0 }));
  metrics.controller('vmnetwork', 1);
  metrics.leaderElection('lease', () => true);
  return metrics.registry.metrics();
}

test('docs/metrics.md lists every metric of loops and requests, with its type and labels, and no other', async () => {
  const documented = documentedOfController();
  expect(documented).toEqual(servedMetrics(await registered()));
});

test('docs/metrics.md names every result and every outcome', () => {
  const page = metricsPage();
  for (const value of [...RECONCILE_RESULTS, ...EVENT_OUTCOMES]) expect(page).toContain(`\`${value}\``);
});

test('what is counted in seconds says so in its name', () => {
  const rows = [...metricsPage().matchAll(/^\| `(\w+)` \| \w+ \|[^|]*\| ([^|]+) \|/gm)];
  expect(rows.length).toBe(documentedMetrics().length);
  for (const [, name = '', unit] of rows)
    expect([name, unit === 'seconds']).toEqual([name, name.endsWith('_seconds')]);
});
