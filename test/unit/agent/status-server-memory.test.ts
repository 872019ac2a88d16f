import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const at = (path: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../../../src/${path}`, import.meta.url)));

/** What Node itself has loaded once these are. */
function builtinsWith(...paths: readonly string[]): string[] {
  const imports = paths.map((path) => `await import(${at(path)});`).join('');
  const script = `${imports} process.stdout.write(JSON.stringify(process.moduleLoadList));`;
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
  return JSON.parse(execFileSync(process.execPath, flags, { encoding: 'utf8' })) as string[];
}

test('HTTP is served without undici and HTTP/2, which take megabytes: the status, and the health of agent and controller', () => {
  const loaded = builtinsWith('agent/status/server.ts', 'kube/health/health-server.ts');
  expect(loaded).toContain('NativeModule http');
  expect(loaded.filter((name) => /undici|http2/.test(name))).toEqual([]);
});
