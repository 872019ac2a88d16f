import { describe, expect, test } from '@jest/globals';
import { coverageTable, readLcov } from '../../../scripts/fuzz/coverage-report.ts';
import { whatItSaid } from '../../../scripts/fuzz/fuzz-run.ts';

const LCOV = `SF:/somewhere/native/include/vmn/one.h
FN:2,f
DA:2,10
DA:3,0
BRDA:2,0,0,10
BRDA:2,0,1,0
BRDA:3,1,0,-
LF:2
LH:1
end_of_record
SF:/somewhere/native/fuzz/engine.c
DA:1,0
end_of_record
SF:/somewhere/native/include/vmn/all.h
DA:1,4
end_of_record
`;
const SOURCE = ['first', '\tif (never)', '\t\treturn;'];
const UNREACHABLE = [{ file: 'one.h', text: 'if (never)', why: 'never is never' }];

describe('the coverage of the headers', () => {
  const files = readLcov(LCOV, () => SOURCE, UNREACHABLE);

  test('is of the headers and nothing else, by name', () => {
    expect(files.map(({ file }) => file)).toEqual(['all.h', 'one.h']);
    expect(files[1]).toMatchObject({ lines: { reached: 1, all: 2 }, branches: { reached: 1, all: 3 } });
  });

  test('names what was not reached, and why where that is known', () => {
    expect(files[1]?.missed).toEqual([
      { line: 3, what: 'line', text: 'return;', why: null },
      { line: 2, what: 'branch', text: 'if (never)', why: 'never is never' },
      { line: 3, what: 'branch', text: 'return;', why: null },
    ]);
  });

  test('is a table with a sum', () => {
    expect(coverageTable(files).split('\n')).toEqual([
      'file                             lines          branches',
      'all.h                      1/1 100.0 %                 -',
      'one.h                       1/2 50.0 %        1/3 33.3 %',
      'native/include/vmn          2/3 66.6 %        1/3 33.3 %',
      '',
      'not reached:',
      '  one.h:3 line: return;',
      '      NOT REACHED',
      '  one.h:2 branch: if (never)',
      '      never is never',
      '  one.h:3 branch: return;',
      '      NOT REACHED',
    ]);
  });
});

test('of what a fuzzer says at its end the claim and the frame are kept, not the stack', () => {
  const said = `INFO: Seed: 1
/x/claims.c:42: does not hold: !passes || right
from the VM, now 0
policy: 0200
frame: 0276
==1== ERROR: libFuzzer: deadly signal
    #0 0x55 in f /x/claims.c:42:2
SUMMARY: libFuzzer: deadly signal
Test unit written to /x/crash-1`;
  expect(whatItSaid(said).split('\n')).toEqual([
    '/x/claims.c:42: does not hold: !passes || right',
    'from the VM, now 0',
    'policy: 0200',
    'frame: 0276',
    '==1== ERROR: libFuzzer: deadly signal',
    'SUMMARY: libFuzzer: deadly signal',
  ]);
});
