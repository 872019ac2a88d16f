import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseAgentOptions } from '../../../src/agent/options.ts';
import { DEFAULT_PATHS } from '../../../src/agent/wiring/paths.ts';
import { executable } from '../../support/requirement.ts';
import { requires } from '../../support/skip.ts';

const FOLDER = new URL('../../../systemd/', import.meta.url);
const UNITS = readdirSync(FOLDER).filter((name) => name.endsWith('.service'));
const textOf = (unit: string): string => readFileSync(new URL(unit, FOLDER), 'utf8');

/** Values of a key, in order; a key may stand more than once. */
function valuesOf(unit: string, key: string): string[] {
  return textOf(unit)
    .split('\n')
    .flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));
}

/** The words of a command, with the variables that the unit itself sets. */
function argvOf(unit: string, key: string): string[] {
  const variables = new Map(
    valuesOf(unit, 'Environment').map((line) => line.split('=', 2) as [string, string]),
  );
  const [command = ''] = valuesOf(unit, key);
  return command.split(' ').map((word) => {
    const name = /^\$\{(\w+)\}$/.exec(word)?.[1];
    return name === undefined ? word : (variables.get(name) ?? '');
  });
}

describe('the systemd units', () => {
  test('the guard is there before anything can start a VM, and stays', () => {
    const before = valuesOf('vmnet-guard.service', 'Before').flatMap((units) => units.split(' '));
    expect(before).toEqual(
      expect.arrayContaining([
        'network-pre.target',
        'libvirtd.service',
        'virtqemud.service',
        'vmnet-agent.service',
      ]),
    );
    expect(valuesOf('vmnet-guard.service', 'RemainAfterExit')).toEqual(['yes']);
    expect(
      UNITS.flatMap((unit) => [...valuesOf(unit, 'ExecStop'), ...valuesOf(unit, 'ExecStopPost')]),
    ).toEqual([]);
    expect(valuesOf('vmnet-guard.service', 'ExecReload')).toEqual(
      valuesOf('vmnet-guard.service', 'ExecStart'),
    );
  });

  test('guard and agent are given the same, and what the command lines take', () => {
    const [program, ...agent] = argvOf('vmnet-agent.service', 'ExecStart');
    expect(program).toBe('/opt/vmnetwork/bin/vmnet-agent');
    const around = { version: '', hostname: 'host', env: {} };
    const options = parseAgentOptions(agent, around);
    expect(options).toMatchObject({ managedInterfaces: ['vnet*'], pool: DEFAULT_PATHS.pool });
    expect([...valuesOf('vmnet-agent.service', 'StateDirectory'), DEFAULT_PATHS.stateDir]).toEqual([
      'vmnetwork',
      '/var/lib/vmnetwork',
    ]);
    expect([...valuesOf('vmnet-agent.service', 'RuntimeDirectory'), DEFAULT_PATHS.runDir]).toEqual([
      'vmnetwork',
      '/run/vmnetwork',
    ]);
    const guard = argvOf('vmnet-guard.service', 'ExecStart');
    expect(guard.slice(0, 3)).toEqual(['/opt/vmnetwork/bin/vmnetctl', 'guard', 'apply']);
    // The same words mean the same to both.
    expect(agent.join(' ')).toContain(guard.slice(3).join(' '));
  });

  test('the agent keeps what it compiled where it alone can write, and has it before its first start', () => {
    const values = (key: string): string[] => valuesOf('vmnet-agent.service', key);
    expect([...values('CacheDirectory'), ...values('CacheDirectoryMode')]).toEqual(['vmnetwork', '0700']);
    expect(values('Environment')).toContain('NODE_COMPILE_CACHE=/var/cache/vmnetwork');
    expect(values('ExecStartPre')).toEqual(['-/opt/vmnetwork/bin/vmnet-agent --version']);
  });

  test('rights are those that the design names, and no others', () => {
    expect(valuesOf('vmnet-guard.service', 'CapabilityBoundingSet')).toEqual(['CAP_NET_ADMIN']);
    expect(valuesOf('vmnet-agent.service', 'CapabilityBoundingSet')[0]?.split(' ').sort()).toEqual([
      'CAP_BPF',
      'CAP_DAC_OVERRIDE',
      'CAP_KILL',
      'CAP_NET_ADMIN',
      'CAP_PERFMON',
      'CAP_SYS_ADMIN',
      'CAP_SYS_PTRACE',
    ]);
  });
});

const verified = requires({ ...executable('systemd-analyze'), optional: true });

verified.describe('systemd itself', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'vmnet-units-'));
    mkdirSync(join(root, 'etc/systemd/system'), { recursive: true });
    mkdirSync(join(root, 'opt/vmnetwork/bin'), { recursive: true });
    for (const program of ['vmnetctl', 'vmnet-agent']) {
      writeFileSync(join(root, 'opt/vmnetwork/bin', program), '#!/bin/sh\n');
      chmodSync(join(root, 'opt/vmnetwork/bin', program), 0o755);
    }
    for (const target of ['sysinit', 'basic', 'shutdown', 'network', 'network-pre', 'multi-user'])
      put(`${target}.target`, `[Unit]\nDescription=${target}\n`);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const put = (unit: string, text: string): void =>
    writeFileSync(join(root, 'etc/systemd/system', unit), text);
  /** What it finds wrong. */
  function complaints(units: readonly string[]): string {
    const argv = ['verify', `--root=${root}`, '--man=no', ...units];
    try {
      return execFileSync('sh', ['-c', 'systemd-analyze "$@" 2>&1', 'sh', ...argv], { encoding: 'utf8' });
    } catch (error) {
      return String((error as { stdout?: unknown }).stdout) || 'refused';
    }
  }

  verified.test('understands every line of them', () => {
    for (const unit of UNITS) put(unit, textOf(unit));
    expect(complaints(UNITS)).toBe('');
    put('vmnet-agent.service', textOf('vmnet-agent.service').replace('DevicePolicy=', 'DevicesPolicy='));
    expect(complaints(UNITS)).toContain('DevicesPolicy');
  });
});
