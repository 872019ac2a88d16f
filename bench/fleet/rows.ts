/** The rows of the fleet benchmark from what was measured. */
import type { Group, Row, Target } from '../row.ts';
import { calmRows } from './calm-rows.ts';
import { workIn, type CalmFigures, type FleetFigures, type Phase } from './figures.ts';
import { rowOf, type Told } from '../told.ts';

export interface Measured {
  half: FleetFigures;
  whole: FleetFigures;
  calm: CalmFigures;
}

/** Twice the fleet is twice the work, and a tenth for what a machine does between two measurements. */
const LINEAR: Target = { gate: 2.2, aim: 2 };
/** MB; the gate is the memory limit of the chart. */
const MEMORY: Target = { gate: 512, aim: 256 };

const MEGABYTE = 2 ** 20;
const KILOBYTE = 2 ** 10;
/** Kinds of requests that are fewer are of the start, not of networks. */
const LEAST_SHARE = 0.01;

const PHASES = [
  { key: 'bind', until: 'all are bound' },
  { key: 'ready', until: 'all are Ready' },
  { key: 'resync', until: 'a new controller has looked at all' },
] as const;

export function fleetRows({ half, whole, calm }: Measured, commit: string): Row[] {
  const rowsOf = (group: Group, told: readonly Told[]): Row[] =>
    told.map((one) => rowOf(group, 'P20', one, commit));
  return [
    ...rowsOf('fleet', [...costs(whole), ...memory(half, whole), ...requests(whole)]),
    ...rowsOf('growth', growth(half, whole)),
    ...rowsOf('rest', calmRows(calm)),
  ];
}

function costs(whole: FleetFigures): Told[] {
  const fleet = `${String(whole.networks)} VMNetworks on ${String(whole.nodes)} hosts`;
  return PHASES.flatMap(({ key, until }): Told[] => [
    { id: `${key}-time`, what: `${fleet}: time until ${until}`, unit: 's', values: [whole[key].seconds] },
    { id: `${key}-cpu`, what: `CPU until ${until}`, unit: 's', values: [whole[key].cpuSeconds] },
  ]);
}

function memory(half: FleetFigures, whole: FleetFigures): Told[] {
  const { peak, resident, proportional } = whole.memory;
  const each = (peak - half.memory.peak) / (whole.networks - half.networks) / KILOBYTE;
  return [
    { id: 'peak', what: 'resident memory, peak', unit: 'MB', values: [peak / MEGABYTE], target: MEMORY },
    { id: 'resident', what: 'resident memory, all Ready', unit: 'MB', values: [resident / MEGABYTE] },
    { id: 'pss', what: 'of it its own (PSS)', unit: 'MB', values: [proportional / MEGABYTE] },
    { id: 'each', what: 'peak memory for one VMNetwork more', unit: 'KB', values: [each] },
  ];
}

function requests({ bind, ready, resync, networks, bindByClient, bindByServer }: FleetFigures): Told[] {
  const share = (count: number) => ({ unit: 'requests' as const, values: [count / networks] });
  const each = ({ requests: of }: Phase) => share(workIn(of));
  const kinds = [...bind.requests]
    .filter(([, count]) => count / networks >= LEAST_SHARE)
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]): Told => {
      const id = `requests-${kind.replaceAll(/[^a-z]+/g, '-')}`;
      return { id, what: `${kind}, for each VMNetwork`, ...share(count) };
    });
  const all: Told = {
    ...{ id: 'requests', what: 'all requests until all are bound', against: "the API server's count" },
    ...{ unit: 'requests', values: [bindByClient] },
    sides: { ours: bindByClient, other: bindByServer, unit: 'requests' },
  };
  return [
    all,
    { id: 'requests-bind', what: 'for each VMNetwork, but Events', ...each(bind) },
    ...kinds,
    { id: 'requests-ready', what: 'for each VMNetwork until it is Ready, but Events', ...each(ready) },
    { id: 'requests-resync', what: 'for each VMNetwork by a new controller', ...each(resync) },
  ];
}

function growth(half: FleetFigures, whole: FleetFigures): Told[] {
  const ratio = (id: string, what: string, ours: number, other: number, unit: string): Told => ({
    ...{ id: `growth-${id}`, what, against: 'half the fleet', unit: 'times', values: [ours / other] },
    sides: { ours, other, unit },
  });
  const judged = (told: Told): Told => ({ ...told, target: LINEAR });
  const rows = PHASES.flatMap(({ key, until }) => {
    const [two, one] = [whole[key], half[key]];
    const asked = [workIn(two.requests), workIn(one.requests)] as const;
    return [
      judged(ratio(`${key}-time`, `time until ${until}`, two.seconds, one.seconds, 's')),
      judged(ratio(`${key}-cpu`, `CPU until ${until}`, two.cpuSeconds, one.cpuSeconds, 's')),
      judged(ratio(`${key}-requests`, `requests but Events until ${until}`, ...asked, 'requests')),
    ];
  });
  const peak = ({ memory: { peak: bytes } }: FleetFigures): number => bytes / MEGABYTE;
  return [...rows, ratio('peak', 'resident memory, peak', peak(whole), peak(half), 'MB')];
}
