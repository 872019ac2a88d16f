import { beforeEach, expect, test } from '@jest/globals';
import type { HostVm } from '../../../../src/agent/discovery/directory.ts';
import { WatchedSites } from '../../../../src/agent/found/site-watch.ts';
import type { Site, Sites } from '../../../../src/agent/host/site.ts';

const ONE = 'net:[1]';
const TWO = 'net:[2]';
const REASON = 'it cannot be entered';

let watches: number;
let opened: Map<string, Site>;
let sites: WatchedSites;
beforeEach(() => {
  watches = 0;
  opened = new Map();
  const watch = (): { close(): void } => {
    watches += 1;
    return { close: () => undefined };
  };
  const machine = {
    open: (id: string): unknown => {
      if (id === TWO) return { reason: REASON };
      const site = opened.get(id) ?? ({ id, watchLinks: watch, watchGuard: watch } as unknown as Site);
      opened.set(id, site);
      return site;
    },
    keep: (ids: ReadonlySet<string>) => {
      for (const id of opened.keys()) if (!ids.has(id)) opened.delete(id);
    },
    close: () => opened.clear(),
  };
  sites = new WatchedSites(machine as unknown as Sites, () => undefined);
});

const on = (...ids: string[]): readonly HostVm[] =>
  ids.map((netns) => ({ cards: [{ link: { netns }, pid: 7 }] })) as unknown as readonly HostVm[];
const pass = (...ids: string[]) => {
  const { open, entered, left } = sites.of(on(...ids));
  sites.letGo();
  return { open: [...open.keys()], entered: [...entered], left: [...left.keys()] };
};

test('a namespace is entered once, and left for one pass when no VM is there any more', () => {
  expect(pass(ONE)).toEqual({ open: [ONE], entered: [ONE], left: [] });
  expect(pass(ONE)).toEqual({ open: [ONE], entered: [], left: [] });
  expect(pass()).toEqual({ open: [], entered: [], left: [ONE] });
  expect(opened.size).toBe(0);
  expect(pass()).toEqual({ open: [], entered: [], left: [] });
});

test('one that is left is held until the pass is over, and not longer', () => {
  pass(ONE);
  sites.of(on());
  expect(opened.size).toBe(1);
  sites.letGo();
  expect(opened.size).toBe(0);
});

test('of a pass that failed in its midst nothing is left twice, and nothing is watched twice', () => {
  pass(ONE);
  sites.of(on());
  expect(pass(ONE)).toEqual({ open: [ONE], entered: [ONE], left: [] });
  expect(watches).toBe(2);
});

test('one that cannot be entered is told of, and is none of these', () => {
  expect(pass(TWO)).toEqual({ open: [], entered: [], left: [] });
  expect(sites.problems()).toEqual([REASON]);
});
