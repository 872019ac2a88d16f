import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mustRun } from '../lab/command.ts';
import { cacheFolder } from './cache.ts';

const SOURCES = fileURLToPath(new URL('probe', import.meta.url));
const FLAGS = ['-O2', '-static', '-s'];

let building: Promise<string> | undefined;

/** The path of guest-probe, built (0.5 s) when its sources have changed. Runs in a guest as well as in a namespace. */
export function ensureProbe(): Promise<string> {
  building ??= build();
  return building;
}

async function build(): Promise<string> {
  const files = readdirSync(SOURCES).sort();
  const hash = createHash('sha256').update(FLAGS.join(' '));
  for (const file of files) hash.update(file).update(readFileSync(join(SOURCES, file)));
  const target = join(cacheFolder(), `guest-probe-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(target)) return target;
  mkdirSync(cacheFolder(), { recursive: true });
  const half = `${target}.${String(process.pid)}`;
  const sources = files.filter((file) => file.endsWith('.c')).map((file) => join(SOURCES, file));
  await mustRun(['gcc', ...FLAGS, '-o', half, ...sources]);
  renameSync(half, target); // whole or not at all, also when two suites build at once
  return target;
}
