import { describe, expect, test } from '@jest/globals';
import { MODES } from '../../../src/api/v1alpha1/mode.ts';
import { VIOLATION_ACTIONS } from '../../../src/api/v1alpha1/violation.ts';
import { violationAction, type Declared } from '../../../src/filter/violation-action.ts';

const declared = (mode: Declared['mode'], action?: Declared['violation']['action']): Declared => ({
  mode,
  enforcement: 'Enforce',
  violation: { threshold: 1, windowSeconds: 10, ...(action !== undefined && { action }) },
});

describe('[FS-4] when violations reach the threshold', () => {
  test.each(MODES.flatMap((mode) => VIOLATION_ACTIONS.map((action) => [mode, action] as const)))(
    'mode %s: %s, as declared',
    (mode, action) => {
      expect(violationAction({ kind: 'violations' }, declared(mode, action))).toBe(action);
    },
  );

  test.each([
    ['Filtered', 'Drop'],
    ['Conntrack', 'Drop'],
    ['Sampled', 'Quarantine'],
  ] as const)('mode %s: %s, when nothing is declared', (mode, action) => {
    expect(violationAction({ kind: 'violations' }, declared(mode))).toBe(action);
  });

  test('who only audits does nothing to a VM', () => {
    for (const action of VIOLATION_ACTIONS) {
      const audit: Declared = { ...declared('Sampled', action), enforcement: 'Audit' };
      expect(violationAction({ kind: 'violations' }, audit)).toBe('Drop');
    }
  });
});

test('[FS-4] a frame that was dropped is a frame that was dropped, whatever is declared', () => {
  for (const mode of MODES)
    for (const action of VIOLATION_ACTIONS)
      expect(violationAction({ kind: 'drop' }, declared(mode, action))).toBe('Drop');
});
